"""Trips, drains and their accounts: one winner, each call once, and sums that add up."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import redis

from callguard.domain.calls import CallStatus
from callguard.domain.histograms import CANCEL_DURATION, DETECTION_DELAY
from callguard.domain.policy import Mode, Policy
from callguard.domain.scope import Scope
from callguard.domain.snapshot import Finding, Rule, State
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome
from tests.calls import call_sid, event, queued
from tests.conftest import ACCOUNT_SID, Store
from tests.frozen_clock import FrozenClock

FINDING = Finding(Rule.SPIKE, 70.5, 65, "spike_burst", 1_000)
POLICY = Policy(cps=5)


@pytest.fixture
def tripped(store: Store, clock: FrozenClock) -> Store:
    """Ten calls queued, and the guard tripped."""
    store.tracker.observe(ACCOUNT_SID, [queued(n, clock.ms) for n in range(10)], POLICY, clock.ms, Source.POLL)
    assert store.incidents.trip(ACCOUNT_SID, 0, FINDING, Mode.ENFORCE, clock.ms)
    return store


@pytest.fixture
def draining(tripped: Store, clock: FrozenClock) -> Store:
    """A drain under way, owned by `me`."""
    assert tripped.incidents.start_drain(ACCOUNT_SID, 1, "me", Mode.ENFORCE)
    return tripped


def settle(store: Store, clock: FrozenClock, number: int, outcome: Outcome, generation: int = 1) -> bool:
    """Return whether it was counted."""
    before = settled(store, clock, outcome)
    store.incidents.settle_all(ACCOUNT_SID, generation, [(call_sid(number), outcome)], clock.ms)
    return settled(store, clock, outcome) > before


def settled(store: Store, clock: FrozenClock, outcome: Outcome) -> float:
    return store.readings.read(ACCOUNT_SID, Policy(), clock.ms).totals.get(f"cancellations:{outcome.value}", 0)


def test_a_hundred_racing_trips_make_one_incident(store: Store, clock: FrozenClock) -> None:
    with ThreadPoolExecutor(20) as pool:
        won = list(
            pool.map(lambda _: store.incidents.trip(ACCOUNT_SID, 0, FINDING, Mode.ENFORCE, clock.ms), range(100))
        )

    assert sum(won) == 1
    totals = store.readings.read(ACCOUNT_SID, POLICY, clock.ms).totals
    assert totals["trips:spike"] == 1
    snapshot = store.tracker.snapshot(ACCOUNT_SID, clock.ms)
    assert (snapshot.state, snapshot.generation) == (State.TRIPPED, 1)


def test_an_incident_keeps_its_finding(tripped: Store, clock: FrozenClock) -> None:
    incident = tripped.incidents.current(ACCOUNT_SID)

    assert incident is not None
    assert incident.id == f"{ACCOUNT_SID}-1"
    assert incident.finding == FINDING
    assert incident.tripped_ms == clock.ms
    assert incident.remaining == 10


def test_a_paused_guard_does_not_trip(store: Store, clock: FrozenClock) -> None:
    store.incidents.pause(ACCOUNT_SID, "a test", clock.ms)

    assert not store.incidents.trip(ACCOUNT_SID, 0, FINDING, Mode.ENFORCE, clock.ms)
    store.incidents.resume(ACCOUNT_SID)
    assert store.incidents.trip(ACCOUNT_SID, 0, FINDING, Mode.ENFORCE, clock.ms)


def test_one_drain_has_the_lease(draining: Store, clock: FrozenClock) -> None:
    incidents = draining.incidents

    assert not incidents.start_drain(ACCOUNT_SID, 1, "you", Mode.ENFORCE)
    assert incidents.keep_drain(ACCOUNT_SID, 1, "me")
    assert not incidents.keep_drain(ACCOUNT_SID, 1, "you")
    incidents.yield_drain(ACCOUNT_SID, "me")
    assert not incidents.has_lease(ACCOUNT_SID)
    assert incidents.start_drain(ACCOUNT_SID, 1, "you", Mode.ENFORCE)


def test_a_drain_of_another_generation_is_fenced_off(draining: Store, clock: FrozenClock) -> None:
    assert not draining.incidents.settle_all(ACCOUNT_SID, 2, (), clock.ms)
    assert not draining.incidents.keep_drain(ACCOUNT_SID, 2, "me")
    assert not draining.incidents.start_drain(ACCOUNT_SID, 0, "me", Mode.ENFORCE)
    assert not settle(draining, clock, 1, Outcome.CANCELLED, generation=2)


def test_pausing_stops_a_drain(draining: Store, clock: FrozenClock) -> None:
    assert draining.incidents.settle_all(ACCOUNT_SID, 1, (), clock.ms)
    draining.incidents.pause(ACCOUNT_SID, "a test", clock.ms)

    assert not draining.incidents.settle_all(ACCOUNT_SID, 1, (), clock.ms)
    assert not draining.incidents.keep_drain(ACCOUNT_SID, 1, "me")


def test_outcomes_add_up(draining: Store, clock: FrozenClock) -> None:
    """Each call is settled once, by whoever hears of it first."""
    assert settle(draining, clock, 0, Outcome.CANCELLED)
    assert not settle(draining, clock, 0, Outcome.GONE)
    for status in (CallStatus.INITIATED, CallStatus.RINGING):
        news = [event(1, status, clock.ms)]
        draining.tracker.observe(ACCOUNT_SID, news, POLICY, clock.ms, Source.CALLBACK)
    assert not settle(draining, clock, 1, Outcome.DIALLED)
    draining.tracker.observe(
        ACCOUNT_SID, [event(2, CallStatus.CANCELED, clock.ms)], POLICY, clock.ms, Source.CALLBACK
    )
    draining.tracker.retire(ACCOUNT_SID, [call_sid(3)])
    draining.tracker.observe(
        ACCOUNT_SID, [queued(10, clock.ms, protected=True)], POLICY, clock.ms, Source.CALLBACK
    )

    incident = draining.incidents.current(ACCOUNT_SID)

    assert incident is not None
    assert incident.count(Outcome.CANCELLED) == 2
    assert incident.count(Outcome.DIALLED) == 1
    assert incident.count(Outcome.GONE) == 1
    assert (incident.remaining, incident.protected, incident.found) == (6, 1, 11)


def test_cancelling_does_not_lower_the_drain_estimate(draining: Store, clock: FrozenClock) -> None:
    before = draining.tracker.snapshot(ACCOUNT_SID, clock.ms)
    for number in range(10):
        settle(draining, clock, number, Outcome.CANCELLED)
    after = draining.tracker.snapshot(ACCOUNT_SID, clock.ms)

    assert after.drain_seconds == before.drain_seconds == pytest.approx(2.0)
    assert (after.depth, after.phantom_slots(POLICY.cps)) == (0, 10)


def test_a_drain_does_not_end_while_calls_are_queued(draining: Store, clock: FrozenClock) -> None:
    assert not draining.incidents.finish_drain(ACCOUNT_SID, 1, "me", clock.ms, capped=False)
    for number in range(10):
        settle(draining, clock, number, Outcome.CANCELLED)

    assert draining.incidents.finish_drain(ACCOUNT_SID, 1, "me", clock.ms, capped=False)
    assert draining.tracker.snapshot(ACCOUNT_SID, clock.ms).state is State.COOLING


def test_the_cap_ends_a_drain_for_good(draining: Store, clock: FrozenClock) -> None:
    assert draining.incidents.finish_drain(ACCOUNT_SID, 1, "me", clock.ms, capped=True)

    assert draining.tracker.snapshot(ACCOUNT_SID, clock.ms).capped
    assert not draining.incidents.reopen(ACCOUNT_SID, 1)


@pytest.fixture
def cooling(draining: Store, clock: FrozenClock) -> Store:
    """All cancelled and done, four seconds after the trip."""
    clock.pass_seconds(4)
    for number in range(10):
        settle(draining, clock, number, Outcome.CANCELLED)
    assert draining.incidents.finish_drain(ACCOUNT_SID, 1, "me", clock.ms, capped=False)
    return draining


def test_new_calls_reopen_a_cooling_incident(cooling: Store, clock: FrozenClock) -> None:
    assert not cooling.incidents.reopen(ACCOUNT_SID, 1)
    cooling.tracker.observe(ACCOUNT_SID, [queued(50, clock.ms)], POLICY, clock.ms, Source.POLL)

    assert cooling.incidents.reopen(ACCOUNT_SID, 1)
    assert cooling.tracker.snapshot(ACCOUNT_SID, clock.ms).state is State.DRAINING


def test_arming_again_closes_the_incident_and_empties_the_buckets(cooling: Store, clock: FrozenClock) -> None:
    assert cooling.incidents.rearm(ACCOUNT_SID, 1, "quiet", clock.ms, force=False)

    snapshot = cooling.tracker.snapshot(ACCOUNT_SID, clock.ms)
    assert (snapshot.state, snapshot.generation, snapshot.queued.level) == (State.ARMED, 1, 0)
    assert cooling.incidents.current(ACCOUNT_SID) is None
    (closed,) = cooling.incidents.recent(ACCOUNT_SID, 10)
    assert (closed.reason, closed.closed_ms, closed.count(Outcome.CANCELLED)) == ("quiet", clock.ms, 10)
    assert cooling.incidents.trip(ACCOUNT_SID, 1, FINDING, Mode.ENFORCE, clock.ms)


def test_only_a_person_ends_an_incident_before_it_cools(draining: Store, clock: FrozenClock) -> None:
    assert not draining.incidents.rearm(ACCOUNT_SID, 1, "quiet", clock.ms, force=False)

    assert draining.incidents.rearm(ACCOUNT_SID, 1, "reset by hand", clock.ms, force=True)
    assert not draining.incidents.settle_all(ACCOUNT_SID, 1, (), clock.ms)


def test_what_comes_after_the_end_of_an_incident_is_counted_in_it(draining: Store, clock: FrozenClock) -> None:
    """A reset does not call back the requests that are under way."""
    draining.incidents.rearm(ACCOUNT_SID, 1, "reset by hand", clock.ms, force=True)

    assert settle(draining, clock, 5, Outcome.CANCELLED)
    assert not settle(draining, clock, 5, Outcome.GONE)
    assert call_sid(5) not in draining.tracker.mirrored(ACCOUNT_SID)
    (closed,) = draining.incidents.recent(ACCOUNT_SID, 1)
    assert (closed.count(Outcome.CANCELLED), closed.remaining, closed.found) == (1, 9, 10)


def test_spared_calls_stay_in_the_account_when_they_are_dialled(draining: Store, clock: FrozenClock) -> None:
    protected = [queued(n, clock.ms, protected=True) for n in (20, 21)]
    draining.tracker.observe(ACCOUNT_SID, protected, POLICY, clock.ms, Source.POLL)
    news = [event(20, CallStatus.INITIATED, clock.ms, protected=True)]
    draining.tracker.observe(ACCOUNT_SID, news, POLICY, clock.ms, Source.CALLBACK)

    incident = draining.incidents.current(ACCOUNT_SID)
    assert incident is not None
    assert (incident.count(Outcome.PROTECTED), incident.protected, incident.found) == (1, 1, 12)


def found(store: Store) -> int:
    incident = store.incidents.current(ACCOUNT_SID)
    assert incident is not None
    return incident.found


@pytest.mark.parametrize("status", [CallStatus.INITIATED, CallStatus.COMPLETED])
def test_a_dialled_call_is_counted_though_its_numbers_are_not_known(
    draining: Store, clock: FrozenClock, status: CallStatus
) -> None:
    news = [event(3, status, clock.ms, protected=True)]
    draining.tracker.observe(ACCOUNT_SID, news, POLICY, clock.ms, Source.CALLBACK)

    assert found(draining) == 10


@pytest.mark.parametrize("outcome", [Outcome.CANCELLED, Outcome.DIALLED, Outcome.GONE])
def test_a_call_that_was_protected_amid_its_cancel_counts_once(
    draining: Store, clock: FrozenClock, outcome: Outcome
) -> None:
    draining.tracker.protect(ACCOUNT_SID, [(call_sid(3), "")], protected=True)
    settle(draining, clock, 3, outcome)

    assert found(draining) == 10
    assert call_sid(3) not in draining.tracker.mirrored(ACCOUNT_SID)


def test_a_protected_call_that_a_list_missed_once_counts_once(draining: Store, clock: FrozenClock) -> None:
    protected = [queued(20, clock.ms, protected=True)]
    draining.tracker.observe(ACCOUNT_SID, protected, POLICY, clock.ms, Source.POLL)
    draining.tracker.retire(ACCOUNT_SID, [call_sid(20)])
    draining.tracker.observe(ACCOUNT_SID, protected, POLICY, clock.ms, Source.POLL)

    assert found(draining) == 11


def test_what_was_thought_gone_and_was_cancelled_is_cancelled(draining: Store, clock: FrozenClock) -> None:
    draining.tracker.retire(ACCOUNT_SID, [call_sid(3)])

    assert settle(draining, clock, 3, Outcome.CANCELLED)
    incident = draining.incidents.current(ACCOUNT_SID)
    assert incident is not None
    assert (incident.count(Outcome.CANCELLED), incident.count(Outcome.GONE), incident.found) == (1, 0, 10)


def test_calls_out_of_scope_that_are_dialled_before_they_are_sorted_are_no_part_of_it(
    store: Store, clock: FrozenClock
) -> None:
    news = [replace(queued(n, clock.ms), sender="aaaaa111" if n < 6 else "bbbbb222") for n in range(10)]
    store.tracker.observe(ACCOUNT_SID, news, POLICY, clock.ms, Source.POLL)
    scope = Scope(0, frozenset({"aaaaa111"}))
    store.incidents.trip(ACCOUNT_SID, 0, FINDING, Mode.ENFORCE, clock.ms, (), scope)
    dialled = [event(n, CallStatus.INITIATED, clock.ms) for n in (0, 9)]
    store.tracker.observe(ACCOUNT_SID, dialled, POLICY, clock.ms, Source.CALLBACK)
    store.tracker.in_scope(ACCOUNT_SID, store.tracker.head(ACCOUNT_SID, 10))

    incident = store.incidents.current(ACCOUNT_SID)
    assert incident is not None
    assert (incident.count(Outcome.DIALLED), incident.remaining, incident.found) == (1, 5, 6)


def test_a_guard_that_begins_to_observe_keeps_its_account(draining: Store, clock: FrozenClock) -> None:
    for number in range(6):
        settle(draining, clock, number, Outcome.CANCELLED)
    draining.incidents.yield_drain(ACCOUNT_SID, "me")
    draining.incidents.start_drain(ACCOUNT_SID, 1, "me", Mode.OBSERVE)
    for number in range(6, 10):
        settle(draining, clock, number, Outcome.OBSERVED)

    assert found(draining) == 10


def test_a_cancel_that_a_callback_tells_after_a_reset_counts_once(draining: Store, clock: FrozenClock) -> None:
    draining.incidents.rearm(ACCOUNT_SID, 1, "reset by hand", clock.ms, force=True)
    news = [event(5, CallStatus.CANCELED, clock.ms)]
    draining.tracker.observe(ACCOUNT_SID, news, POLICY, clock.ms, Source.CALLBACK)
    settle(draining, clock, 5, Outcome.CANCELLED)

    (closed,) = draining.incidents.recent(ACCOUNT_SID, 1)
    assert (closed.count(Outcome.CANCELLED), closed.found) == (1, 10)


def test_calls_that_end_but_were_not_queued_are_no_part_of_it(draining: Store, clock: FrozenClock) -> None:
    """`completed` is Twilio's only callback by default, and comes for calls dialled long before."""
    news = [event(n, CallStatus.COMPLETED, clock.ms) for n in range(50, 60)]
    draining.tracker.observe(ACCOUNT_SID, news, POLICY, clock.ms, Source.CALLBACK)

    incident = draining.incidents.current(ACCOUNT_SID)
    assert incident is not None
    assert incident.found == 10


def test_delay_and_duration_are_observed_once(cooling: Store, clock: FrozenClock) -> None:
    totals = cooling.readings.read(ACCOUNT_SID, POLICY, clock.ms).totals

    assert CANCEL_DURATION.cumulated(totals)[-1] == ("+Inf", 1)
    assert CANCEL_DURATION.sum_of(totals) == pytest.approx(4.0)
    assert DETECTION_DELAY.cumulated(totals)[-1] == ("+Inf", 1)


@pytest.fixture
def raw(redis_url: str) -> Iterator["redis.Redis"]:
    """A plain client of the private server."""
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def test_every_key_of_an_account_shares_its_hash_tag(cooling: Store, raw: "redis.Redis") -> None:
    keys = list(raw.scan_iter("callguard:*"))

    assert keys
    assert all(key.startswith(f"callguard:{{{ACCOUNT_SID}}}:") for key in keys)
