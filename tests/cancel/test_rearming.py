"""How an incident ends: by quiet, or by a person's reset amid the drain."""

import time

import pytest

from callguard.cancel.incident_drain import DrainEnd
from callguard.domain.replies import CancelReply
from callguard.domain.snapshot import State
from callguard.domain.tally import Outcome
from tests.cancel.intercepted import intercepted
from tests.guarded import SID, guarded, now_ms, trip_at
from tests.waiting import wait_until


def test_ordinary_traffic_does_not_put_off_the_arming(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1, quiet_seconds=2)) as g:
        g.queue_calls(60)
        g.trip()
        g.drain.run(g.account, 1, "me")

        def next_second() -> bool:
            """One call a second, as many as `spike_rate` allows; each reopens the drain."""
            g.queue_calls(1)
            time.sleep(1.0)
            g.watch.tick()
            if g.store.tracker.snapshot(SID, now_ms()).state is State.DRAINING:
                g.drain.run(g.account, 1, "me")
                g.watch.tick()
            return g.store.tracker.snapshot(SID, now_ms()).state is State.ARMED

        wait_until(next_second, "the guard is armed again", timeout=15)


def test_a_reset_in_the_middle_leaves_a_true_account(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(200)
        g.trip()

        def reset_after_thirty(call_sid: str, _turn: int) -> CancelReply | None:
            if len(g.twilio.updates(SID)) >= 30:
                g.store.incidents.rearm(SID, 1, "reset", now_ms(), force=True)
            return None

        drain, _ = intercepted(g, on_cancel=reset_after_thirty)
        assert drain.run(g.account, 1, "me") is not DrainEnd.FINISHED

        (closed,) = g.store.incidents.recent(SID, 1)
        assert closed.count(Outcome.CANCELLED) == g.truth().cancelled
        assert closed.remaining == pytest.approx(g.truth().queued, abs=1)
