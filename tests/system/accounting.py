"""Twilio's word on a sweep, and whether the guard's books say the same, call by call."""

from collections import Counter
from collections.abc import Sequence
from itertools import pairwise
from typing import Any

from callguard.domain.incidents import Incident
from callguard.domain.snapshot import State
from callguard.domain.tally import Outcome
from callguard.errors import StoreUnavailable
from callguard.simulator import CallStatus, UpdateRecord
from callguard.store.keys import AccountKeys
from tests.stack import SID, Stack
from tests.waiting import wait_until

CANCELLED = Outcome.CANCELLED.value


def state(guard: Stack, sid: str = SID) -> State | None:
    """Return the account's state; None while Redis is away."""
    try:
        return guard.stores.tracker.snapshot(sid, guard.services.clock.now_ms()).state
    except StoreUnavailable:
        return None


def wait_for_the_end(guard: Stack, sid: str = SID, timeout: float = 60) -> None:
    """Wait until Twilio has nothing queued, the drain is over, and all callbacks have come."""
    wait_until(lambda: guard.twilio.account(sid).queued == 0, "nothing is queued", timeout=timeout)
    wait_until(lambda: state(guard, sid) in (State.COOLING, State.ARMED), "the drain is over", timeout=30)
    wait_until(lambda: guard.twilio.account(sid).callbacks.pending == 0, "all callbacks are in", timeout=30)


def in_effect(record: UpdateRecord) -> bool:
    """Return whether the update ended its call."""
    return record.previous_status != CallStatus.CANCELED and record.result_status == CallStatus.CANCELED


def cancelled_times(guard: Stack, sid: str = SID) -> list[float]:
    """Return when calls were cancelled in effect, in Unix seconds and in order."""
    return [record.at for record in guard.twilio.updates(sid) if in_effect(record)]


def longest_gap(times: Sequence[float], since: float, until: float = float("inf")) -> float:
    """Return the longest time between `since` and the last of the times before `until` without any of them."""
    points = [since, *(at for at in times if since <= at < until)]
    return max((later - earlier for earlier, later in pairwise(points)), default=0.0)


def assert_counts_add_up(guard: Stack, sid: str = SID, *, unheard: Sequence[tuple[float, float]] = ()) -> None:
    """Twilio, ledger, incident and totals tell the same story, call by call.

    Of calls that were both created and cancelled in a span of `unheard` (Unix seconds) nobody has told the guard.
    """
    incident = guard.stores.incidents.current(sid)
    assert incident is not None
    redis, keys = guard.stores.connection, AccountKeys(sid)
    ledger: Any = redis.hgetall(keys.ledger)
    totals: Any = redis.hgetall(keys.totals)

    _assert_true_to_twilio(guard, sid, ledger, unheard)
    _assert_adds_up(incident, ledger, totals)


def _assert_true_to_twilio(
    guard: Stack, sid: str, ledger: dict[str, str], unheard: Sequence[tuple[float, float]]
) -> None:
    updates, statuses = guard.twilio.updates(sid), guard.twilio.statuses(sid)
    ends = {record.sid: record for record in updates if in_effect(record)}
    assert {record.status_sent for record in updates} == {"canceled"}
    assert len(ends) == sum(map(in_effect, updates)), "a call was cancelled twice"

    # Twilio may dial a call while the request to cancel it is on its way: it rang, and was cancelled.
    rang = {call for call, record in ends.items() if record.previous_status == CallStatus.RINGING}
    lost = {
        call for call, record in ends.items() if any(since <= record.at <= until for since, until in unheard)
    } - ledger.keys()
    truly_cancelled = {call for call, status in statuses.items() if status == CallStatus.CANCELED}
    counted_cancelled = {call for call, outcome in ledger.items() if outcome == CANCELLED}
    wrong = (truly_cancelled ^ counted_cancelled) - rang - lost
    assert not wrong, Counter((statuses[call], ledger.get(call)) for call in wrong)
    truth = guard.twilio.account(sid)
    assert truth.created == truth.cancelled + truth.dialled - len(rang)


def _assert_adds_up(incident: Incident, ledger: dict[str, str], totals: dict[str, str]) -> None:
    tally = Counter(ledger.values())
    assert {outcome.value: count for outcome, count in incident.outcomes.items() if count} == dict(tally)
    assert incident.remaining == 0
    assert incident.found == len(ledger)
    for outcome in Outcome:
        assert int(totals.get(f"cancellations:{outcome.value}", 0)) == tally[outcome.value]
