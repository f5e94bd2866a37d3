"""Who is cancelled and who is left alone, against a simulated Twilio."""

import time

from callguard.cancel.incident_drain import DrainEnd
from callguard.clock import SystemClock
from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.snapshot import State
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome
from callguard.simulator import RunawayPlan
from tests.guarded import SID, Guarded, guarded, trip_at
from tests.waiting import wait_until

SHOP, SCRIPT, OTHER = "+15550000001", "+15550000002", "+15550000003"


def queued_by_number(g: Guarded) -> dict[str, int]:
    """Return what Twilio has queued, by From."""
    counts: dict[str, int] = {}
    for page in g.telephony.queued_calls(SID):
        for call in page.calls:
            counts[call.from_number] = counts.get(call.from_number, 0) + 1
    return counts


def test_calls_that_waited_before_the_spike_are_left_alone(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=0.1, spike_rate=5)) as g:
        g.queue_calls(15)
        g.reconciler.read_queue(g.account, retire=True)
        before = {sid for sid, status in g.twilio.statuses(SID).items() if status == "queued"}
        time.sleep(5.5)  # the bucket runs empty, and the clocks' slack passes
        g.queue_calls(120)
        g.trip()

        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED
        assert {record.sid for record in g.twilio.updates(SID)}.isdisjoint(before)
        snapshot = g.store.tracker.snapshot(SID, 0)
        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert snapshot.out_of_scope == g.truth().queued == snapshot.depth
        assert (incident.count(Outcome.CANCELLED), incident.remaining) == (120, 0)


def test_only_the_number_that_runs_away_is_cancelled(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=0.1, spike_rate=5)) as g:
        g.twilio.start_runaway(SID, RunawayPlan(200, from_number=SCRIPT))
        g.queue_calls(8, from_number=SHOP)
        wait_until(lambda: g.truth().created == 208, "all are created")
        g.trip()

        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED
        left = queued_by_number(g)
        assert set(left) == {SHOP}
        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert len(incident.scope.senders) == 1
        assert incident.found == incident.count(Outcome.CANCELLED) + incident.count(Outcome.DIALLED)

        g.queue_calls(3, from_number=SHOP)
        g.reconciler.read_queue(g.account, retire=True)
        assert g.store.tracker.snapshot(SID, 0).cancellable == 0, "what comes is sorted as it comes"


def test_a_script_that_goes_on_from_another_number_is_followed(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=0.1)) as g:
        g.queue_calls(60, from_number=SCRIPT)
        g.trip()
        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED

        g.queue_calls(60, from_number=OTHER)
        g.reconciler.read_queue(g.account, retire=True)
        assert g.store.tracker.snapshot(SID, 0).cancellable == 0
        g.watch.tick()
        assert g.store.tracker.snapshot(SID, 0).state is State.DRAINING

        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED
        assert g.truth().queued == 0
        assert any("spike as well" in notice.text for notice in g.notices.posted)
        assert OTHER not in "".join(notice.text for notice in g.notices.posted)


def test_calls_left_alone_are_like_any_other_once_the_guard_is_armed(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=0.1, spike_rate=5)) as g:
        g.twilio.start_runaway(SID, RunawayPlan(100, from_number=SCRIPT))
        g.queue_calls(8, from_number=SHOP)
        wait_until(lambda: g.truth().created == 108, "all are created")
        g.trip()
        g.drain.run(g.account, 1, "me")
        left = g.store.tracker.snapshot(SID, 0).out_of_scope
        g.store.incidents.rearm(SID, 1, "quiet", 0, force=False)

        snapshot = g.store.tracker.snapshot(SID, 0)
        assert left == g.truth().queued > 0
        assert (snapshot.state, snapshot.cancellable, snapshot.out_of_scope) == (State.ARMED, left, 0)


def test_a_call_left_alone_that_is_dialled_is_no_part_of_the_incident(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=5, spike_rate=5)) as g:
        g.queue_calls(8, from_number=SHOP)
        g.queue_calls(200, from_number=SCRIPT)
        g.trip()
        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED
        wait_until(lambda: "+15550000001" not in queued_by_number(g), "they are dialled")
        g.reconciler.read_queue(g.account, retire=True)

        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert g.store.tracker.snapshot(SID, 0).depth == 0
        assert incident.count(Outcome.CANCELLED) == g.truth().cancelled
        dialled_of_the_script = g.truth().dialled - 8
        assert incident.found <= g.truth().cancelled + dialled_of_the_script


def test_a_person_lets_a_drain_go_on_beyond_its_cap(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=0.1, max_cancellations=40)) as g:
        g.queue_calls(100)
        g.trip()
        assert g.drain.run(g.account, 1, "me") is DrainEnd.CAPPED
        assert not g.store.incidents.continue_drain(SID, 2)
        assert g.store.incidents.continue_drain(SID, 1)
        assert not g.store.incidents.continue_drain(SID, 1), "it goes on already"

        assert g.drain.run(g.account, 1, "me") is DrainEnd.CAPPED
        assert g.truth().cancelled == 80
        assert g.store.incidents.continue_drain(SID, 1)
        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED
        assert g.truth().queued == 0


def test_a_runaway_that_is_listed_newest_first_is_taken_back_to_its_onset(redis_url: str) -> None:
    """Whoever trips on the first page of a long list does not know yet when it began."""
    with guarded(redis_url, trip_at(cps=0.1)) as g:
        now_ms = SystemClock().now_ms()
        calls = [queued_at(f"CA{n:032x}", now_ms - 30_000 + n * 100, g) for n in range(300)]
        g.guard.take(g.account, calls[-40:], Source.POLL)  # the newest: four seconds of it
        assert g.store.tracker.snapshot(SID, now_ms).state is State.TRIPPED
        first = g.store.incidents.current(SID)
        assert first is not None
        g.guard.take(g.account, calls[:-40], Source.POLL)
        g.watch.tick()

        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert incident.scope.since_ms <= now_ms - 30_000 < first.scope.since_ms
        assert g.store.tracker.snapshot(SID, now_ms).out_of_scope == 0
        assert incident.remaining == 300


def queued_at(call_sid: str, at_ms: int, g: Guarded) -> CallEvent:
    return CallEvent(call_sid, CallStatus.QUEUED, at_ms, sender=g.account.hasher.sender(SCRIPT), sender_shown="x")


def test_a_script_that_rotates_its_numbers_is_followed(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=0.1)) as g:
        g.queue_calls(60, from_number=SCRIPT)
        g.trip()
        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED
        for number in range(4):
            g.queue_calls(12, from_number=f"+1555000010{number}")
        g.reconciler.read_queue(g.account, retire=True)
        assert g.store.tracker.snapshot(SID, 0).cancellable == 0, "none of them spikes alone"
        g.watch.tick()

        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED
        assert g.truth().queued == 0


def test_calls_left_alone_are_no_short_queue(redis_url: str) -> None:
    """Else the next incident would take them for older than anything that it is about, for ever."""
    with guarded(redis_url, trip_at(cps=0.1, spike_rate=5)) as g:
        g.twilio.start_runaway(SID, RunawayPlan(100, from_number=SCRIPT))
        g.queue_calls(8, from_number=SHOP)
        wait_until(lambda: g.truth().created == 108, "all are created")
        g.trip()
        g.drain.run(g.account, 1, "me")
        before = g.store.tracker.snapshot(SID, 0).shallow_ms
        g.reconciler.read_queue(g.account, retire=True)

        snapshot = g.store.tracker.snapshot(SID, 0)
        assert (snapshot.out_of_scope >= g.account.policy.min_backlog, snapshot.shallow_ms) == (True, before)


def test_calls_to_one_telephone_are_cancelled_for_who_called_it(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=0.1, spike_rate=50, spike_burst=500, repeat_limit=20)) as g:
        for number in range(30):
            g.queue_calls(1, from_number=SHOP, to=f"+155520000{number:02}")
        g.queue_calls(20, from_number=SCRIPT, to="+15552999999")
        g.trip()

        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED
        assert set(queued_by_number(g)) == {SHOP}
