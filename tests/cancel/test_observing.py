"""An incident that only observes sends nothing, and comes to its end."""

import time
from dataclasses import replace

import pytest

from callguard.cancel.incident_drain import DrainEnd
from callguard.domain.policy import Mode
from callguard.domain.tally import Outcome
from tests.guarded import SID, guarded, now_ms, trip_at


def test_observing_makes_one_incident_of_one_backlog(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1, quiet_seconds=1, mode=Mode.OBSERVE)) as g:
        g.queue_calls(80)
        g.trip()
        g.drain.run(g.account, 1, "me")
        deadline = time.monotonic() + 4
        while time.monotonic() < deadline:
            g.watch.tick()
            time.sleep(0.05)

        assert g.store.tracker.snapshot(SID, now_ms()).generation == 1


def test_switching_to_observe_stops_an_incident_that_cancels(redis_url: str) -> None:
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(60)
        g.trip()
        observing = replace(g.account, policy=replace(g.account.policy, mode=Mode.OBSERVE))

        assert g.drain.run(observing, 1, "me") is DrainEnd.FINISHED
        assert g.twilio.updates(SID) == []


def test_observing_a_long_queue_comes_to_its_end(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("callguard.cancel.incident_drain.OBSERVED_AT_ONCE", 10)
    with guarded(redis_url, trip_at(cps=1, mode=Mode.OBSERVE)) as g:
        g.queue_calls(155)
        g.trip()

        assert g.drain.run(g.account, 1, "me") is DrainEnd.FINISHED
        incident = g.store.incidents.current(SID)
        assert incident is not None
        assert incident.found == incident.count(Outcome.OBSERVED) == g.truth().queued
