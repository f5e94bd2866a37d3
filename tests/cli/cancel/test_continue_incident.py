"""`callguard cancel --continue` beside a guard whose incident has stopped at its cap."""

import time

import pytest
import redis

from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.policy import Mode, Policy
from callguard.domain.snapshot import Finding, Rule, State
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome
from callguard.jobs.drain_queue import QUEUE_NAME
from tests.calls import call_sid
from tests.cli.running import environ, run
from tests.conftest import ACCOUNT_SID, Store

__all__ = ["environ"]

pytestmark = pytest.mark.usefixtures("environ")


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _stop_at_the_cap(store: Store) -> None:
    """An incident of five calls of which two were cancelled; then it was at its cap."""
    now = _now_ms()
    events = [CallEvent(call_sid(n), CallStatus.QUEUED, now, sender="s") for n in range(1, 6)]
    store.tracker.observe(ACCOUNT_SID, events, Policy(), now, Source.REPORT)
    store.incidents.trip(ACCOUNT_SID, 0, Finding(Rule.SPIKE, 70.5, 65, "spike_burst", now), Mode.ENFORCE, now)
    store.incidents.start_drain(ACCOUNT_SID, 1, "a worker", Mode.ENFORCE)
    for number in (1, 2):
        store.incidents.settle_all(ACCOUNT_SID, 1, [(call_sid(number), Outcome.CANCELLED)], now)
    assert store.incidents.finish_drain(ACCOUNT_SID, 1, "a worker", now, capped=True)


def test_the_guard_goes_on(store: Store, redis_url: str) -> None:
    _stop_at_the_cap(store)
    assert store.tracker.snapshot(ACCOUNT_SID, _now_ms()).capped

    result = run("cancel", "--continue", "--yes")

    snapshot = store.tracker.snapshot(ACCOUNT_SID, _now_ms())
    assert result.exit_code == 0, result.output
    assert "max_cancellations = 100,000" in result.output
    assert "2 cancelled" in result.output
    assert "3 calls that it is after are still queued" in result.output
    assert snapshot.state is State.DRAINING
    assert not snapshot.capped
    with redis.Redis.from_url(redis_url) as client:
        assert client.llen(f"rq:queue:{QUEUE_NAME}") == 1


def test_an_incident_that_is_not_at_its_cap_is_left_alone(store: Store) -> None:
    now = _now_ms()
    store.incidents.trip(ACCOUNT_SID, 0, Finding(Rule.SPIKE, 70.5, 65, "spike_burst", now), Mode.ENFORCE, now)

    result = run("cancel", "--continue", "--yes")

    assert result.exit_code == 1
    assert "nothing to continue" in result.output
    assert store.tracker.snapshot(ACCOUNT_SID, now).state is State.TRIPPED


def test_a_guard_that_is_away_does_not_keep_us_from_our_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLGUARD_REDIS_URL", "redis://127.0.0.1:1/0")

    result = run("cancel", "--continue", "--yes")

    assert result.exit_code == 1
    assert "was not looked at" in result.output
    assert "nothing to continue" in result.output
