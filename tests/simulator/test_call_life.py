"""What becomes of a call over time, in the pure model under an invented clock."""

from typing import Any

import pytest

from callguard.simulator.account import Account
from callguard.simulator.calls import CallEvent, CallStatus, NewCall, Progress, StatusCallback
from callguard.simulator.config import AccountConfig, Behaviour

NOW = 1_000_000.0
ALL = StatusCallback("http://receiver.example/", events=frozenset(CallEvent))
ANSWERED = {"answered": 1, "busy": 0, "no_answer": 0, "failed": 0}


def account(heard: list[Progress] | None = None, **config: Any) -> Account:
    config.setdefault("behaviour", Behaviour(ring_seconds=4, talk_seconds=20, **ANSWERED))
    return Account(AccountConfig(**config), "seed", (heard if heard is not None else []).append)


def order(callback: StatusCallback | None = ALL) -> NewCall:
    return NewCall("+15005550006", "+15005550001", callback)


def test_an_answered_call_goes_through_all_statuses() -> None:
    model = account(cps=0.1)
    model.create(order(), NOW)
    call = model.create(order(), NOW)

    seen = {}
    for second in (0, 9, 10, 13, 14, 33, 34):
        model.advance(NOW + second)
        seen[second] = str(call.status)

    assert seen == {
        0: "queued",
        9: "queued",
        10: "ringing",
        13: "ringing",
        14: "in-progress",
        33: "in-progress",
        34: "completed",
    }
    assert call.talk_seconds == 20
    assert call.queue_time_ms == 10_000


@pytest.mark.parametrize(
    ("outcome", "words"),
    [
        ("answered", ["initiated", "ringing", "in-progress", "completed"]),
        ("busy", ["initiated", "ringing", "busy"]),
        ("no_answer", ["initiated", "ringing", "no-answer"]),
        ("failed", ["initiated", "failed"]),
    ],
)
def test_each_outcome_tells_its_events_in_order(outcome: str, words: list[str]) -> None:
    heard: list[Progress] = []
    model = account(heard, behaviour=Behaviour(**{**dict.fromkeys(ANSWERED, 0.0), outcome: 1.0}))
    model.create(order(), NOW)

    model.advance(NOW + 3600)

    assert [progress.word for progress in heard] == words
    assert [progress.sequence for progress in heard] == list(range(len(words)))


def test_the_sequence_counts_subscribed_events_only() -> None:
    heard: list[Progress] = []
    model = account(heard)
    model.create(order(StatusCallback("http://receiver.example/")), NOW)

    model.advance(NOW + 3600)

    assert [(progress.word, progress.sequence) for progress in heard] == [("completed", 0)]


def test_shares_are_kept_and_a_seed_repeats_them() -> None:
    def outcomes() -> list[str]:
        model = account(cps=1000, behaviour=Behaviour())
        calls = [model.create(order(None), NOW) for _ in range(1000)]
        model.advance(NOW + 3600)
        return [str(call.status) for call in calls]

    first = outcomes()

    assert first == outcomes()
    assert 600 < first.count("completed") < 800
    assert set(first) == {"completed", "busy", "no-answer", "failed"}


def test_cancelled_calls_keep_their_slots() -> None:
    model = account(cps=1)
    calls = [model.create(order(None), NOW) for _ in range(100)]
    model.advance(NOW)

    for call in calls[1:]:
        model.end(call, CallStatus.CANCELED, NOW)

    assert model.phantom_slots() == 99
    assert model.drain_seconds(NOW) == pytest.approx(100)
    late = model.create(order(None), NOW)
    assert late.queue_time_ms == 100_000
    model.advance(NOW + 99.9)
    assert (model.dialled, late.status, model.phantom_slots()) == (1, CallStatus.QUEUED, 0)
    model.advance(NOW + 100)
    assert (model.dialled, late.status) == (2, CallStatus.RINGING)


@pytest.mark.parametrize(("told", "words"), [(True, ["canceled"]), (False, [])])
def test_a_call_cancelled_while_queued_tells_so_if_configured(told: bool, words: list[str]) -> None:
    heard: list[Progress] = []
    model = account(heard, cancel_callbacks=told)
    call = model.create(order(), NOW)

    model.end(call, CallStatus.CANCELED, NOW)

    assert [progress.word for progress in heard] == words


def test_a_cancelled_ringing_call_is_not_answered_any_more() -> None:
    heard: list[Progress] = []
    model = account(heard)
    call = model.create(order(), NOW)
    model.advance(NOW + 1)

    model.end(call, CallStatus.CANCELED, NOW + 1)
    model.advance(NOW + 3600)

    assert call.status is CallStatus.CANCELED
    assert [progress.word for progress in heard] == ["initiated", "ringing", "canceled"]


def test_the_next_due_time_is_the_earlier_of_slot_and_step() -> None:
    model = account(cps=0.1)
    assert model.next_due() is None

    model.create(order(), NOW)
    model.create(order(), NOW)
    dues = []
    while (due := model.next_due()) is not None:
        dues.append(due - NOW)
        model.advance(due)

    assert dues == pytest.approx([0, 4, 10, 14, 24, 34])


def test_the_oldest_ended_calls_are_forgotten() -> None:
    model = account(keep_ended=5)
    calls = [model.create(order(None), NOW) for _ in range(200)]
    for call in calls[:190]:
        model.end(call, CallStatus.CANCELED, NOW)

    assert list(model.calls.values()) == calls[185:]
    assert len(list(model.all_calls)) <= 2 * 15
    assert model.counts[CallStatus.CANCELED] == 190
