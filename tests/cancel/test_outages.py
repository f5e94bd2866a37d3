"""A Twilio that fails, or whose list is late: no storm of requests, and the drain goes on."""

import time
from threading import Event

import pytest

from callguard.cancel import time_slice as turn
from callguard.cancel.incident_drain import DrainEnd
from callguard.domain.calls import ListedPage
from callguard.store import retention
from tests.cancel.intercepted import intercepted, run_to_the_end
from tests.guarded import SID, guarded, trip_at


def test_an_outage_does_not_pass_for_the_cap(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "MAX_SECONDS", 2.0)
    with guarded(redis_url, trip_at(cps=1, max_cancellations=40)) as g:
        g.queue_calls(150)
        g.trip()
        g.twilio.change_faults(SID, error_rate=1.0)
        assert g.drain.run(g.account, 1, "me") is DrainEnd.YIELDED
        g.twilio.change_faults(SID, error_rate=0.0)

        assert run_to_the_end(g.drain, g) is DrainEnd.CAPPED
        assert g.truth().cancelled == 40


def test_an_outage_is_no_storm_of_requests(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(turn, "MAX_SECONDS", 2.0)
    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(150)
        g.trip()
        g.twilio.change_faults(SID, error_rate=1.0)
        before = g.truth().requests.errors
        g.drain.run(g.account, 1, "me")

        assert g.truth().requests.errors - before < 150


def test_a_list_that_takes_longer_than_the_lease_is_waited_for(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(retention, "LEASE_MS", 600)
    monkeypatch.setattr("callguard.store.incidents.LEASE_MS", 600)
    monkeypatch.setattr("callguard.cancel.incident_drain.KEEP_EVERY_SECONDS", 0.1)

    def slow(page: ListedPage, _turn: int) -> ListedPage:
        time.sleep(1.0)
        return page

    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(40)
        g.trip()
        drain, _ = intercepted(g, on_page=slow)

        assert drain.run(g.account, 1, "me") is DrainEnd.FINISHED
        assert g.truth().queued == 0


def test_a_turn_does_not_wait_for_a_list_that_does_not_come(
    redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(turn, "MAX_SECONDS", 1.5)

    is_over = Event()

    def never(page: ListedPage, _turn: int) -> ListedPage:
        is_over.wait(8)
        return page

    with guarded(redis_url, trip_at(cps=1)) as g:
        g.queue_calls(40)
        g.trip()
        drain, _ = intercepted(g, on_page=never)
        began = time.monotonic()

        assert drain.run(g.account, 1, "me") is DrainEnd.YIELDED
        assert time.monotonic() - began < 6
        assert g.truth().queued == 0
        is_over.set()
