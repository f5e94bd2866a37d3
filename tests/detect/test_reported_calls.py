"""Reports of created calls against a simulated Twilio: real ones trip, made-up ones do no harm."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from callguard.domain.calls import SETTLING_MS, CallEvent, CallStatus
from callguard.domain.campaigns import Campaign
from callguard.domain.notices import NoticeKind
from callguard.domain.policy import Policy, Unqueued
from callguard.domain.snapshot import Rule, Snapshot, State
from callguard.domain.sources import Source
from callguard.web.api.account_views import gate_of
from tests.calls import call_sid
from tests.guarded import SID, Guarded, guarded, now_ms, trip_at
from tests.waiting import wait_until

POLICY = Policy(cps=1, poll_seconds=1)
SENDER = "5" * 64


def made_up(count: int, *, age_ms: int = 0, **hasher: Any) -> list[CallEvent]:
    at, hasher = now_ms() - age_ms, {"sender": SENDER, "sender_shown": "+1555***22", **hasher}
    return [CallEvent(call_sid(900_000 + n), CallStatus.QUEUED, at, **hasher) for n in range(count)]


def real(g: Guarded, **hasher: Any) -> list[CallEvent]:
    """Return reports of all calls that Twilio has."""
    hasher = {"sender": SENDER, "sender_shown": "+1555***22", **hasher}
    return [CallEvent(sid, CallStatus.QUEUED, now_ms(), **hasher) for sid in g.twilio.statuses(SID)]


def seen(g: Guarded) -> Snapshot:
    return g.store.tracker.snapshot(SID, now_ms())


def is_open(g: Guarded) -> bool:
    return gate_of(seen(g), g.account.policy).allowed


def look(g: Guarded, times: int = 3) -> None:
    for _ in range(times):
        g.watch.tick()
        time.sleep(0.3)


def trips_at_a_look(g: Guarded) -> bool:
    look(g, 1)
    return seen(g).state is State.TRIPPED


@contextmanager
def beside_honest_calls(redis_url: str, policy: Policy = POLICY) -> Iterator[Guarded]:
    """Thirty honest calls, of which most are queued, and nothing wrong with them."""
    with guarded(redis_url, policy) as g:
        g.queue_calls(30)
        g.watch.tick()
        assert (seen(g).state, seen(g).cancellable > 20) == (State.ARMED, True)
        yield g


def test_made_up_calls_cancel_nobody_and_shut_nothing(redis_url: str) -> None:
    with beside_honest_calls(redis_url) as g:
        assert g.reports.take(g.account, made_up(200, age_ms=SETTLING_MS + 1000)) == 200

        look(g)

        assert (seen(g).state, is_open(g), g.wakes.wakes) == (State.ARMED, True, [])
        assert g.truth().cancelled == 0
        assert (seen(g).unconfirmed, seen(g).queued.level > 0) == (0, True), "the honest ones count as before"
        (notice,) = [n for n in g.notices.posted if n.kind is NoticeKind.WARNING and "reported" in n.text]
        assert "200 calls were reported to the guard that Twilio does not list" in notice.text
        assert "does not know 5" in notice.text
        totals = g.store.readings.read(SID, POLICY, now_ms()).totals
        assert totals["reports:client:unknown"] == 200


def test_made_up_calls_are_given_time_to_be_known(redis_url: str) -> None:
    with guarded(redis_url, POLICY) as g:
        g.reports.take(g.account, made_up(200))

        look(g)

        assert (seen(g).state, seen(g).unconfirmed) == (State.ARMED, 200)
        assert not g.notices.posted


def test_made_up_calls_leave_the_drain_time_as_it_was(redis_url: str) -> None:
    with guarded(redis_url, POLICY) as g:
        g.reports.take(g.account, made_up(200, age_ms=SETTLING_MS + 1000))
        assert seen(g).drain_seconds > 150

        look(g)

        assert seen(g).drain_seconds < 2


def test_made_up_calls_to_one_telephone_are_no_repeat(redis_url: str) -> None:
    with guarded(redis_url, Policy(cps=30, poll_seconds=1)) as g:
        g.reports.take(g.account, made_up(60, age_ms=SETTLING_MS + 1000, destination="t" * 64))

        look(g)

        assert (seen(g).state, seen(g).repeats.count) == (State.ARMED, 0)


def test_made_up_calls_use_no_campaign_up(redis_url: str) -> None:
    with guarded(redis_url, POLICY) as g:
        at = now_ms()
        g.store.campaigns.announce(SID, Campaign("c1", 100, 0, SENDER, "", at - 60_000, at + 60_000, "a test"))

        g.reports.take(g.account, made_up(100))
        look(g, 1)

        g.guard.take(g.account, [replace(call, at_ms=now_ms()) for call in made_up(90)], Source.REPORT)
        assert (seen(g).announced, seen(g).queued.level) == (90, 0)


def test_a_real_queue_that_was_reported_trips(redis_url: str) -> None:
    with guarded(redis_url, POLICY) as g:
        g.queue_calls(200)

        g.reports.take(g.account, real(g))
        assert (seen(g).state, seen(g).depth) == (State.ARMED, 200)
        look(g, 1)

        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert incident.finding.rule is Rule.SPIKE
        assert seen(g).unconfirmed <= 2, "all but those that have just been dialled"
        assert not is_open(g)
        assert g.wakes.wakes


def test_made_up_calls_among_real_ones_are_no_excuse(redis_url: str) -> None:
    with guarded(redis_url, POLICY) as g:
        g.queue_calls(200)

        g.reports.take(g.account, [*made_up(1000), *real(g)])
        look(g, 1)

        assert seen(g).state is State.TRIPPED


@pytest.mark.parametrize("unqueued", [Unqueued.BLOCK, Unqueued.PAGE])
def test_a_runaway_without_a_queue_is_looked_up(redis_url: str, unqueued: Unqueued) -> None:
    """Nothing tells of it but reports: neither callbacks nor the list of queued calls."""
    policy = Policy(cps=1000, poll_seconds=1, unqueued=unqueued)
    with guarded(redis_url, policy) as g:
        g.queue_calls(300, to="+15550004321")
        wait_until(lambda: g.truth().queued == 0, "all are dialled")

        g.reports.take(g.account, real(g, destination="t" * 64))
        look(g)

        assert (seen(g).state, seen(g).unqueued) == (State.TRIPPED, True)
        assert is_open(g) is (unqueued is Unqueued.PAGE)
        (text,) = [n.text for n in g.notices.posted if n.kind is NoticeKind.TRIPPED]
        assert "TRIPPED without a queue" in text
        assert "+1555***22 (100 %)" in text


def test_a_list_that_cannot_be_read_proves_nothing(redis_url: str) -> None:
    with guarded(redis_url, POLICY) as g:
        g.queue_calls(200)
        reports = real(g)
        g.twilio.change_faults(SID, error_rate=1.0)

        g.reports.take(g.account, reports)
        look(g)
        assert (seen(g).state, is_open(g), seen(g).unconfirmed) == (State.ARMED, True, 200)

        g.twilio.change_faults(SID, error_rate=0.0)
        wait_until(partial(trips_at_a_look, g), "the list tells", timeout=15)


CONFIRMED_BY: Sequence[Any] = [
    pytest.param(CallStatus.QUEUED, Source.REPORT, (1, 0), id="an event tells of its creation"),
    pytest.param(CallStatus.INITIATED, Source.CALLBACK, (1, 1), id="a callback tells that it left"),
    pytest.param(CallStatus.COMPLETED, Source.CALLBACK, (1, 1), id="a callback tells that it is over"),
    pytest.param(CallStatus.CANCELED, Source.CALLBACK, (1, 0), id="a callback tells that it was cancelled"),
]


@pytest.mark.parametrize(("status", "source", "levels"), CONFIRMED_BY)
def test_a_report_counts_once_it_is_confirmed(
    redis_url: str, status: CallStatus, source: Source, levels: tuple[int, int]
) -> None:
    with guarded(redis_url, Policy(cps=5)) as g:
        at = now_ms() - 2_000
        (report,) = [replace(call, at_ms=at) for call in made_up(1, destination="t" * 64)]
        assert g.reports.take(g.account, [report]) == 1
        assert g.reports.take(g.account, [report]) == 0, "the same report again is no news"

        news = replace(report, status=status, at_ms=at + 1_000)
        for counted in (1, 0):
            assert g.guard.take(g.account, [news], source) == counted

        known = seen(g)
        assert [known.queued.level, known.initiated.level] == list(levels)
        is_queued = status is CallStatus.QUEUED
        assert known.unconfirmed == 0
        assert known.cancellable == int(is_queued)
        assert known.queued.onset_ms == (news.at_ms if is_queued else at)
        assert g.store.tracker.queued_since(SID, 60, now_ms()) == 1
        assert g.reports.take(g.account, [report]) == 0, "what Twilio has told is no news"
        assert known.horizon_ms == pytest.approx(at + 200, abs=1), "one slot, counted once"


def test_what_twilio_told_before_is_a_duplicate(redis_url: str) -> None:
    with guarded(redis_url, trip_at()) as g:
        calls = made_up(3)
        g.guard.take(g.account, calls, Source.REPORT)

        assert g.reports.take(g.account, calls) == 0
        assert (seen(g).unconfirmed, seen(g).cancellable) == (0, 3)
