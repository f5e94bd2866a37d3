"""Everything as processes: signed callbacks in, cancelled calls out."""

import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from callguard.domain.snapshot import Rule, State
from callguard.domain.tally import Outcome
from callguard.simulator import AccountConfig, CallEvent, RunawayPlan, SimulatorConfig, StatusCallback
from tests.callback_requests import PATH
from tests.stack import SID, TOKEN, Stack, stack
from tests.system.accounting import assert_counts_add_up
from tests.waiting import wait_until

CALLS, CPS = 300, 5.0
FROM_NUMBER = RunawayPlan(1).from_number

pytestmark = pytest.mark.timeout(180)


def state(guard: Stack) -> State:
    return guard.stores.tracker.snapshot(SID, guard.services.clock.now_ms()).state


def metrics(guard: Stack) -> dict[tuple[str, tuple[str, ...]], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{guard.port}/metrics", timeout=5) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def runaway(guard: Stack, calls: int = CALLS, rate: float = 0) -> None:
    callback = StatusCallback(f"http://127.0.0.1:{guard.port}{PATH}", events=frozenset(CallEvent))
    guard.twilio.start_runaway(SID, RunawayPlan(calls, rate, callback=callback))


def test_a_runaway_is_seen_tripped_on_and_cancelled() -> None:
    """What callbacks, incident, metrics and Twilio say of it is the same."""
    simulated = SimulatorConfig(accounts=(AccountConfig(cps=CPS, latency=0.05),))
    with stack(simulated, {"cps": CPS, "poll_seconds": 1, "quiet_seconds": 5}) as guard:
        runaway(guard)
        wait_until(lambda: state(guard) is State.COOLING, "the drain is over", timeout=60)
        incident = guard.stores.incidents.current(SID)
        wait_until(lambda: guard.twilio.account(SID).callbacks.pending == 0, "callbacks are in", timeout=30)
        truth = guard.twilio.account(SID)

        assert incident is not None
        assert incident.finding.rule is Rule.SPIKE
        assert truth.queued == 0
        assert_counts_add_up(guard)
        assert truth.callbacks.failed == 0
        shown = metrics(guard)
        assert shown["callguard_queue_depth", (SID,)] == 0
        assert shown["callguard_estimated_drain_seconds", (SID,)] == pytest.approx(truth.drain_seconds, abs=2)
        assert shown["callguard_trips_total", (SID, "spike")] == 1
        assert shown["callguard_cancellations_total", (SID, "cancelled")] == incident.count(Outcome.CANCELLED)
        assert shown["callguard_calls_total", (SID, "canceled")] == truth.cancelled
        assert shown["callguard_callbacks_total", ("forbidden",)] == 0
        assert shown["callguard_redis_up", ()] == 1
        assert shown["callguard_heartbeat_age_seconds", ("watcher",)] < 5
        wait_until(lambda: state(guard) is State.ARMED, "the guard is armed again", timeout=30)
        assert_no_personal_data(guard)


def assert_no_personal_data(guard: Stack) -> None:
    """All that was ever written to Redis, and all logs, hold no number, token or signature."""
    written = b"".join(file.read_bytes() for file in (guard.logs / "appendonlydir").iterdir())
    logged = b"".join(file.read_bytes() for file in guard.logs.glob("*.log"))

    assert SID.encode() in written
    assert SID.encode() in logged
    for secret in (FROM_NUMBER, FROM_NUMBER[1:], "1555200000", TOKEN, "X-Twilio-Signature"):
        assert secret.encode() not in written
        assert secret.encode() not in logged
