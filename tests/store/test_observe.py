"""News of calls in Redis: each phase once, the mirror true, buckets as the domain has them."""

import itertools

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from callguard.domain.calls import CallEvent, CallStatus, MirroredCall
from callguard.domain.policy import Mode, Policy
from callguard.domain.rates import LeakyBucket
from callguard.domain.sources import Source
from callguard.domain.throughput import Throughput
from tests.calls import call_sid, event, queued
from tests.conftest import ACCOUNT_SID, Store
from tests.examples import up_to
from tests.frozen_clock import FrozenClock
from tests.store.test_incidents import FINDING

POLICY = Policy(cps=5, spike_rate=2, spike_burst=30)

LIFE = [CallStatus.QUEUED, CallStatus.INITIATED, CallStatus.RINGING, CallStatus.IN_PROGRESS, CallStatus.COMPLETED]


def observe(store: Store, clock: FrozenClock, *events: CallEvent, source: Source = Source.CALLBACK) -> int:
    return store.tracker.observe(ACCOUNT_SID, events, POLICY, clock.ms, source).counted


def totals(store: Store, clock: FrozenClock) -> dict[str, float]:
    return dict(store.readings.read(ACCOUNT_SID, POLICY, clock.ms).totals)


@pytest.mark.parametrize("order", [LIFE, LIFE[::-1], [LIFE[2], LIFE[0], LIFE[4], LIFE[1], LIFE[3]]])
def test_each_phase_counts_once_in_any_order(store: Store, clock: FrozenClock, order: list[CallStatus]) -> None:
    for status in (*order, *order):
        observe(store, clock, event(1, status, clock.ms))

    counted = totals(store, clock)
    assert {status: counted[f"calls:{status.value}"] for status in LIFE} == dict.fromkeys(LIFE, 1)
    assert counted["callbacks:accepted"] == 5
    assert counted["callbacks:duplicate"] == 5
    assert store.tracker.snapshot(ACCOUNT_SID, clock.ms).depth == 0


@pytest.mark.parametrize("order", list(itertools.permutations(LIFE[:3])))
def test_a_call_leaves_the_queue_once_and_never_comes_back(
    store: Store, clock: FrozenClock, order: tuple[CallStatus, ...]
) -> None:
    for status in order:
        observe(store, clock, event(1, status, clock.ms))

    snapshot = store.tracker.snapshot(ACCOUNT_SID, clock.ms)
    assert snapshot.depth == 0
    assert snapshot.initiated.level == 1
    assert snapshot.queued.level == 1


def test_a_call_cancelled_in_the_queue_has_not_been_dialled(store: Store, clock: FrozenClock) -> None:
    observe(store, clock, queued(1, clock.ms), event(1, CallStatus.CANCELED, clock.ms))

    snapshot = store.tracker.snapshot(ACCOUNT_SID, clock.ms)
    assert snapshot.depth == 0
    assert snapshot.initiated.level == 0


def test_the_mirror_is_oldest_first_and_knows_the_protected(store: Store, clock: FrozenClock) -> None:
    events = [queued(3, clock.ms - 30), queued(1, clock.ms - 20, protected=True), queued(2, clock.ms - 10)]
    observe(store, clock, *events)

    assert store.tracker.head(ACCOUNT_SID, 10) == [call_sid(3), call_sid(2)]
    snapshot = store.tracker.snapshot(ACCOUNT_SID, clock.ms)
    assert (snapshot.cancellable, snapshot.protected, snapshot.depth) == (2, 1, 3)
    assert store.tracker.mirrored(ACCOUNT_SID) == {e.call_sid: MirroredCall(e.at_ms, e.protected) for e in events}


def test_the_horizon_moves_by_a_slot_a_call(store: Store, clock: FrozenClock) -> None:
    observe(store, clock, *(queued(n, clock.ms) for n in range(100)))

    assert store.tracker.snapshot(ACCOUNT_SID, clock.ms).drain_seconds == pytest.approx(100 / POLICY.cps)


def test_a_poll_of_an_old_queue_lifts_the_horizon(store: Store, clock: FrozenClock) -> None:
    """Fifty calls created long ago and still queued need ten seconds at 5 CPS, whatever went before."""
    observe(store, clock, *(queued(n, clock.ms - 60_000) for n in range(50)), source=Source.POLL)
    store.tracker.polled(ACCOUNT_SID, POLICY, clock.ms, None, Throughput(), began_ms=clock.ms)

    assert store.tracker.snapshot(ACCOUNT_SID, clock.ms).drain_seconds == pytest.approx(10)


def test_retired_calls_come_back_only_if_twilio_lists_them_again(store: Store, clock: FrozenClock) -> None:
    observe(store, clock, queued(1, clock.ms), queued(2, clock.ms))

    assert store.tracker.retire(ACCOUNT_SID, [call_sid(1), call_sid(99)]) == 1
    assert observe(store, clock, queued(1, clock.ms), source=Source.CALLBACK) == 0
    assert store.tracker.head(ACCOUNT_SID, 10) == [call_sid(2)]
    level = store.tracker.snapshot(ACCOUNT_SID, clock.ms).queued.level
    assert observe(store, clock, queued(1, clock.ms), source=Source.POLL) == 0
    assert store.tracker.head(ACCOUNT_SID, 10) == [call_sid(1), call_sid(2)]
    assert store.tracker.snapshot(ACCOUNT_SID, clock.ms).queued.level == level


def test_calls_that_were_dialled_do_not_come_back_whatever_a_list_says(store: Store, clock: FrozenClock) -> None:
    observe(store, clock, queued(1, clock.ms), event(1, CallStatus.INITIATED, clock.ms))

    observe(store, clock, queued(1, clock.ms), source=Source.POLL)

    assert store.tracker.head(ACCOUNT_SID, 10) == []


def test_more_events_than_a_batch_are_all_counted(store: Store, clock: FrozenClock) -> None:
    assert observe(store, clock, *(queued(n, clock.ms) for n in range(1234)), source=Source.POLL) == 1234
    assert store.tracker.snapshot(ACCOUNT_SID, clock.ms).depth == 1234


def test_rates_and_recent_counts_come_from_the_ring(store: Store, clock: FrozenClock) -> None:
    observe(store, clock, *(queued(n, clock.ms - 5_000) for n in range(20)))
    clock.pass_seconds(2)

    assert store.readings.read(ACCOUNT_SID, POLICY, clock.ms).queued_rate == pytest.approx(2.0)
    assert store.tracker.queued_since(ACCOUNT_SID, 60, clock.ms) == 20
    clock.pass_seconds(2_000)
    assert store.tracker.queued_since(ACCOUNT_SID, 60, clock.ms) == 0


def test_accounts_do_not_mix(store: Store, clock: FrozenClock) -> None:
    other = "AC" + "f" * 32
    observe(store, clock, queued(1, clock.ms))

    assert store.tracker.snapshot(other, clock.ms).depth == 0
    assert store.tracker.observe(other, [queued(1, clock.ms)], POLICY, clock.ms, Source.POLL).counted == 1


def test_an_open_incident_in_observe_mode_marks_new_calls(store: Store, clock: FrozenClock) -> None:
    snapshot = store.tracker.snapshot(ACCOUNT_SID, clock.ms)
    store.incidents.trip(ACCOUNT_SID, snapshot.generation, FINDING, Mode.OBSERVE, clock.ms)
    observe(store, clock, queued(1, clock.ms), queued(2, clock.ms, protected=True))

    assert totals(store, clock)["cancellations:observed"] == 1


@settings(max_examples=up_to(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(st.lists(st.integers(0, 90_000), min_size=1, max_size=25), min_size=1, max_size=6),
    rate=st.sampled_from([0.3, 1.0, 2.0, 17.0]),
)
def test_the_script_fills_buckets_as_the_domain_does(
    store: Store, clock: FrozenClock, batches: list[list[int]], rate: float
) -> None:
    """Whatever the order of the news, Lua and Python agree on level and onset."""
    policy = Policy(spike_rate=rate, spike_burst=20)
    account = f"AC{next(_FRESH):032x}"
    numbers = itertools.count()
    model = LeakyBucket()
    for batch in batches:
        times = sorted(clock.ms + offset for offset in batch)
        events = [queued(next(numbers), at) for at in times]
        snapshot = store.tracker.observe(account, events, policy, clock.ms, Source.POLL).snapshot
        assert snapshot is not None
        seen = snapshot.queued
        model = model.poured(times, rate, most=40)

        assert seen.level == pytest.approx(model.level, abs=1e-2)
        assert seen.onset_ms == model.onset_ms
        model = seen


_FRESH = itertools.count(1)
