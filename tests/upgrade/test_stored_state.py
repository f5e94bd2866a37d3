"""A guard that is started in mid-incident, on what the release before has stored, goes on with it to the end.

`write_state.py` says what has happened: an incident whose drain was killed, a campaign, a paused account, a
`callguard cancel` that was broken off, and notices that nobody has relayed.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from callguard.domain.incidents import Incident
from callguard.domain.notices import NoticeKind
from callguard.domain.snapshot import State
from callguard.domain.tally import Outcome
from tests.stored_state import write_state
from tests.upgrade.write_state import ACCOUNTS, BY_HAND, PAUSED, RUNAWAY, STATE, create_all_calls
from tests.whole_guard import WholeGuard, whole_guard

HELD: Any = json.loads(STATE.read_text())
LEDGER, QUEUE, PROTECTED, ANNOUNCED = (
    HELD["redis"][f"callguard:{{{RUNAWAY}}}:{name}"]["value"]
    for name in ("ledger", "queue", "spared", "announced")
)


@pytest.fixture
def upgraded(redis_url: str, tmp_path: Path) -> Iterator[WholeGuard]:
    """The guard of today on that state, a second later; Twilio has the same calls, less those of the ledger."""
    write_state(redis_url, HELD["redis"])
    for name, text in HELD["files"].items():
        (tmp_path / name).write_text(text)
    with whole_guard(redis_url, HELD["now_ms"], tmp_path, ACCOUNTS) as guard:
        create_all_calls(guard)
        for call_sid in LEDGER:
            guard.services.telephony.cancel(RUNAWAY, call_sid)
        guard.clock.pass_seconds(1)
        yield guard


def look(guard: WholeGuard) -> None:
    """Let a watcher look at every account once. It is another server, so it looks whether anything was lost."""
    tracker = guard.stores.tracker
    guard.watch(
        lambda: all(tracker.snapshot(sid, 0).polled_ms > HELD["now_ms"] for sid in ACCOUNTS), "all are looked at"
    )


def incident(guard: WholeGuard) -> Incident:
    current = guard.stores.incidents.current(RUNAWAY)
    assert current is not None
    return current


def test_what_is_stored_is_read(upgraded: WholeGuard) -> None:
    snapshot = upgraded.stores.tracker.snapshot(RUNAWAY, upgraded.clock.ms)
    found = incident(upgraded)

    assert (snapshot.state, snapshot.generation) == (State.DRAINING, 1)
    assert (snapshot.cancellable, snapshot.protected, snapshot.announced) == (
        len(QUEUE),
        len(PROTECTED),
        len(ANNOUNCED),
    )
    assert snapshot.unconfirmed == 1
    assert {outcome.value: count for outcome, count in found.outcomes.items()} == {
        outcome: list(LEDGER.values()).count(outcome) for outcome in set(LEDGER.values())
    }
    assert (found.remaining, found.protected) == (len(QUEUE), len(PROTECTED))
    assert found.found == sum(found.outcomes.values()) + found.remaining + found.protected
    assert [culprit.shown for culprit in found.culprits] == ["+1555***00"]


def test_the_drain_goes_on_to_the_end_and_its_ledger_adds_up(upgraded: WholeGuard) -> None:
    look(upgraded)
    before = incident(upgraded)
    told_before = len(upgraded.stores.notices.waiting(100))
    end = upgraded.drain(RUNAWAY, 1)
    after = incident(upgraded)

    assert end == "finished"
    assert after.found == before.found == sum(after.outcomes.values()) + after.protected
    assert after.count(Outcome.CANCELLED) == before.count(Outcome.CANCELLED) + before.remaining
    assert after.count(Outcome.DIALLED) == before.count(Outcome.DIALLED)
    assert (after.remaining, after.protected) == (0, len(PROTECTED))
    assert upgraded.twilio.account(RUNAWAY).queued == len(PROTECTED) + len(ANNOUNCED), (
        "who is protected, and the campaign"
    )

    upgraded.clock.pass_seconds(6)
    upgraded.watch(lambda: upgraded.stores.incidents.recent(RUNAWAY, 1), "the incident is closed")
    (closed,) = upgraded.stores.incidents.recent(RUNAWAY, 5)
    assert upgraded.stores.tracker.snapshot(RUNAWAY, upgraded.clock.ms).state is State.ARMED
    assert (closed.found, closed.outcomes) == (after.found, after.outcomes)
    told = [notice for _, notice in upgraded.stores.notices.waiting(100)][told_before:]
    assert [notice.kind for notice in told] == [NoticeKind.DONE, NoticeKind.ARMED]


def test_a_worker_takes_the_wake_up_that_waits(upgraded: WholeGuard) -> None:
    assert upgraded.services.drains.counts()["queued"] == 1
    assert upgraded.services.drains.others_wait(PAUSED)
    assert upgraded.services.drains.wake(RUNAWAY, 1)
    assert upgraded.services.drains.counts()["queued"] == 1, "the same wake-up: none is needed beside it"


def test_who_has_paused_holds(upgraded: WholeGuard) -> None:
    look(upgraded)
    snapshot = upgraded.stores.tracker.snapshot(PAUSED, upgraded.clock.ms)

    assert snapshot.paused
    assert (snapshot.pause.reason, snapshot.pause.since_ms) == ("a fire drill", HELD["now_ms"])
    assert snapshot.lost_ms == 0, "nothing is taken for lost"


def test_a_campaign_is_still_announced_and_can_be_ended(upgraded: WholeGuard) -> None:
    path = f"/api/accounts/{RUNAWAY}/campaigns"
    (campaign,) = upgraded.ask("GET", path).json["campaigns"]

    assert (campaign["calls"], campaign["came"]) == (20, 4)
    ended = upgraded.ask("DELETE", f"{path}/{campaign['id']}?release=true")
    assert (ended.status_code, ended.json["released"]["calls"]) == (200, 4)


def test_notices_that_wait_are_relayed(upgraded: WholeGuard) -> None:
    kinds = [notice.kind for _, notice in upgraded.stores.notices.waiting(100)]

    assert kinds == [
        NoticeKind.PAUSED,
        NoticeKind.CAMPAIGN,
        NoticeKind.TRIPPED,
        NoticeKind.PAUSED,
        NoticeKind.RESUMED,
    ]


def test_a_cancel_by_hand_that_was_broken_off_goes_on(upgraded: WholeGuard) -> None:
    cancel_runs = upgraded.stores.cancel_runs
    unfinished = cancel_runs.unfinished(BY_HAND)
    assert unfinished is not None
    assert unfinished.tally.summary(with_zeros=True) == (
        "29 found = 7 cancelled + 1 dialled + 0 gone + 0 protected + 1 failed + 20 remaining"
    )
    assert unfinished.numbers_digest == upgraded.services.accounts[BY_HAND].hasher.digest("")

    cancel_run = cancel_runs.resume(BY_HAND, unfinished)
    assert cancel_run.settle([(call_sid, Outcome.CANCELLED) for call_sid in cancel_run.head(100)])
    tally = cancel_run.tally()
    assert tally.found == sum(tally.outcomes.values())
    assert (tally.count(Outcome.CANCELLED), tally.remaining) == (27, 0)
