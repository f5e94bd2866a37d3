"""Incidents without a queue, in Redis."""

from callguard.domain.policy import Mode, Policy
from callguard.domain.scope import Scope
from callguard.domain.snapshot import Finding, Rule, State
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome
from callguard.domain.throughput import Throughput
from tests.calls import queued
from tests.conftest import ACCOUNT_SID as SID
from tests.conftest import Store
from tests.frozen_clock import FrozenClock

FINDING = Finding(Rule.INITIATED, 70, 65, "initiated_burst", 1000)
POLICY = Policy(min_backlog=5)


def trip(store: Store, clock: FrozenClock, generation: int = 0) -> bool:
    return store.incidents.trip(
        SID, generation, FINDING, Mode.ENFORCE, clock.ms, scope=Scope(0, frozenset({"one"})), unqueued=True
    )


def state(store: Store, clock: FrozenClock) -> tuple[State, bool]:
    snapshot = store.tracker.snapshot(SID, clock.ms)
    return snapshot.state, snapshot.unqueued


def test_it_is_open_and_nobody_may_drain_it(store: Store, clock: FrozenClock) -> None:
    assert trip(store, clock)

    assert state(store, clock) == (State.TRIPPED, True)
    assert not store.incidents.start_drain(SID, 1, "somebody", Mode.ENFORCE)
    incident = store.incidents.current(SID)
    assert incident is not None
    assert incident.unqueued


def test_with_a_queue_it_is_drained_like_any_other(store: Store, clock: FrozenClock) -> None:
    trip(store, clock)

    assert not store.incidents.take_queue(SID, 0, clock.ms), "another generation"
    assert store.incidents.take_queue(SID, 1, clock.ms)
    assert not store.incidents.take_queue(SID, 1, clock.ms), "once is enough"

    assert state(store, clock) == (State.TRIPPED, False)
    assert store.incidents.start_drain(SID, 1, "somebody", Mode.ENFORCE)


def test_a_pause_keeps_its_queue_from_being_taken(store: Store, clock: FrozenClock) -> None:
    trip(store, clock)
    store.incidents.pause(SID, "", clock.ms)

    assert not store.incidents.take_queue(SID, 1, clock.ms)


def test_one_with_a_queue_is_none_without(store: Store, clock: FrozenClock) -> None:
    assert store.incidents.trip(SID, 0, FINDING, Mode.ENFORCE, clock.ms)

    assert state(store, clock) == (State.TRIPPED, False)
    assert not store.incidents.take_queue(SID, 1, clock.ms)
    assert not store.incidents.rearm(SID, 1, "quiet", clock.ms, force=False), "it is to be drained first"


def test_news_asks_for_a_look_once_a_backlog_is_there(store: Store, clock: FrozenClock) -> None:
    trip(store, clock)

    few = store.tracker.observe(
        SID, [queued(n, clock.ms) for n in range(4)], POLICY, clock.ms, Source.REPORT, if_crossed=True
    )
    more = store.tracker.observe(SID, [queued(9, clock.ms)], POLICY, clock.ms, Source.REPORT, if_crossed=True)

    assert few.snapshot is None
    assert more.snapshot is not None
    assert (more.snapshot.cancellable, more.snapshot.unqueued) == (5, True)


def test_what_has_come_back_goes_on_with_its_counts(store: Store, clock: FrozenClock) -> None:
    trip(store, clock)
    store.incidents.settle_all(SID, 1, [("CA" + "1" * 32, Outcome.DIALLED)], clock.ms)
    assert store.incidents.rearm(SID, 1, "quiet", clock.ms, force=False)
    assert state(store, clock) == (State.ARMED, False)

    assert store.incidents.go_on(SID, 1)

    assert state(store, clock) == (State.TRIPPED, True)
    incident = store.incidents.current(SID)
    assert incident is not None
    assert (incident.id, incident.closed_ms, incident.count(Outcome.DIALLED)) == (f"{SID}-1", 0, 1)
    assert incident.scope.senders == {"one"}
    assert not store.incidents.go_on(SID, 1), "it is open"


def test_what_had_a_queue_or_is_not_the_last_does_not_go_on(store: Store, clock: FrozenClock) -> None:
    trip(store, clock)
    store.incidents.take_queue(SID, 1, clock.ms)
    store.incidents.rearm(SID, 1, "reset", clock.ms, force=True)
    assert not store.incidents.go_on(SID, 1)

    trip(store, clock, 1)
    store.incidents.rearm(SID, 2, "quiet", clock.ms, force=False)
    trip(store, clock, 2)
    store.incidents.rearm(SID, 3, "quiet", clock.ms, force=False)
    assert not store.incidents.go_on(SID, 2)


def test_a_pause_lets_nothing_go_on(store: Store, clock: FrozenClock) -> None:
    trip(store, clock)
    store.incidents.rearm(SID, 1, "quiet", clock.ms, force=False)
    store.incidents.pause(SID, "", clock.ms)

    assert not store.incidents.go_on(SID, 1)


def test_arming_empties_the_buckets_of_all_numbers(store: Store, clock: FrozenClock) -> None:
    """What is left of one runaway must not name it as the carrier of the next."""
    store.tracker.observe(SID, [queued(n, clock.ms) for n in range(40)], POLICY, clock.ms, Source.REPORT)
    from_one = [
        type(event)(event.call_sid, event.status, event.at_ms, sender="one", sender_shown="+1***1")
        for event in (queued(100 + n, clock.ms) for n in range(40))
    ]
    store.tracker.observe(SID, from_one, POLICY, clock.ms, Source.REPORT)
    assert store.tracker.senders(SID, Rule.SPIKE, POLICY, clock.ms)
    trip(store, clock)

    store.incidents.rearm(SID, 1, "reset", clock.ms, force=True)

    assert store.tracker.senders(SID, Rule.SPIKE, POLICY, clock.ms) == []


def test_a_list_answers_only_what_was_asked_before_it(store: Store, clock: FrozenClock) -> None:
    store.tracker.suspect(SID, FINDING, clock.ms)
    clock.pass_seconds(0.3)
    for began_ms, is_answer in ((clock.ms - 301, False), (clock.ms - 300, True)):
        store.tracker.polled(SID, POLICY, clock.ms, None, Throughput(), began_ms=began_ms)

        assert store.tracker.snapshot(SID, clock.ms).was_asked_about(1000) is is_answer
