"""Numbers that are protected while their calls are queued are not cancelled."""

from dataclasses import replace
from threading import Thread

from callguard.cancel.incident_drain import DrainEnd
from tests.guarded import SID, guarded, now_ms, trip_at
from tests.waiting import wait_until


def test_a_number_that_is_protected_later_is_protected(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1, spike_burst=1000)) as g:
        g.queue_calls(10, from_number="+15559990000")
        g.reconciler.read_queue(g.account, retire=True)
        assert g.store.tracker.snapshot(SID, now_ms()).protected == 0

        policy = replace(g.account.policy, never_cancel=("+1555999*",))
        g.reconciler.read_queue(replace(g.account, policy=policy), retire=True)

        snapshot = g.store.tracker.snapshot(SID, now_ms())
        assert (snapshot.cancellable, snapshot.protected) == (0, g.truth().queued)


def test_who_is_protected_after_a_restart_is_not_cancelled_from_memory(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(60, from_number="+15559990000")
        g.trip()
        policy = replace(g.account.policy, never_cancel=("+1555999*",))

        assert g.drain.run(replace(g.account, policy=policy), 1, "me") is DrainEnd.FINISHED
        assert g.twilio.updates(SID) == []
        assert g.store.tracker.snapshot(SID, now_ms()).protected == g.truth().queued


def test_who_is_protected_amid_a_sweep_is_soon_left_alone(redis_url: str) -> None:
    """What was read ahead of the requests is read again."""
    with guarded(redis_url, trip_at(cps=1), latency=0.1, ceiling=3) as g:
        g.queue_calls(150)
        g.trip()
        runner = Thread(target=lambda: g.drain.run(g.account, 1, "me"))
        runner.start()
        wait_until(lambda: g.truth().cancelled > 5, "the drain is at work")
        protected = g.store.tracker.head(SID, 150)[60:110]
        g.store.tracker.protect(SID, [(sid, "") for sid in protected], protected=True)
        wait_until(lambda: g.truth().queued <= len(protected), "the others are cancelled", timeout=25)
        g.store.incidents.pause(SID, "enough", now_ms())
        runner.join(timeout=20)

        assert {record.sid for record in g.twilio.updates(SID)}.isdisjoint(protected)
