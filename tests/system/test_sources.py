"""The three sources and the gate, all as processes: Valkey, gunicorn, workers, and a simulated Twilio."""

import json
import subprocess
import sys
import time
import urllib.request
from typing import Any

import pytest
from twilio.rest import Client

from callguard.client import CallsBlocked, GuardedHttpClient
from callguard.domain.snapshot import Rule, State
from callguard.simulator import AccountConfig, EventSink, RunawayPlan, SimulatorConfig
from tests.stack import ROOT, SID, TOKEN, Stack, free_port, stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]

KEYS = {"reporter": "a-reporters-key-0123456789", "operator": "an-operators-key-012345678"}
API_KEYS = ",".join(f"{role}-1:{role}:{key}" for role, key in KEYS.items())
FROM, TO = "+15550001111", "+15550002222"


def state(guard: Stack) -> State:
    return guard.stores.tracker.snapshot(SID, guard.services.clock.now_ms()).state


def asked(guard: Stack, path: str, body: object = None, role: str = "operator", method: str | None = None) -> Any:
    headers = {"x-api-key": KEYS[role], "Content-Type": "application/json"}
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"http://127.0.0.1:{guard.port}{path}", data, headers, method=method)
    with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310 (our own address)
        return json.load(answer)


def client_of(guard: Stack) -> Client:
    """The caller's program: one line more than usual."""
    guarded = GuardedHttpClient(f"http://127.0.0.1:{guard.port}", api_key=KEYS["reporter"], gate_timeout=5.0)
    client = Client(SID, TOKEN, http_client=guarded)
    client.api.base_url = guard.twilio.url
    return client


def run_away(client: Client, calls: int) -> None:
    for _ in range(calls):
        client.calls.create(to=TO, from_=FROM, twiml="<Response/>")


def test_a_program_with_our_client_is_stopped_at_its_source() -> None:
    """No callbacks, no polls to speak of: what its client reports trips the guard, and the gate shuts."""
    simulated = SimulatorConfig(accounts=(AccountConfig(cps=1, latency=0.01),))
    policy = {"cps": 1, "spike_burst": 20, "min_backlog": 5, "poll_seconds": 3600, "quiet_seconds": 900}
    with stack(simulated, policy, environ={"CALLGUARD_API_KEY": API_KEYS}) as guard:
        client = client_of(guard)
        with pytest.raises(CallsBlocked) as blocked:
            run_away(client, 500)
        assert blocked.value.account_sid == SID
        assert 20 <= guard.twilio.account(SID).created < 500

        incident = guard.stores.incidents.current(SID)
        assert incident is not None
        assert incident.finding.rule in (Rule.SPIKE, Rule.REPEAT)
        assert [culprit.shown for culprit in incident.culprits] == ["+1555***11"]
        wait_until(lambda: guard.twilio.account(SID).queued == 0, "all is cancelled", timeout=30)
        assert asked(guard, f"/api/accounts/{SID}/gate", role="reporter")["allowed"] is False


def test_the_api_tells_when_a_call_created_now_would_be_dialled() -> None:
    """One call through the client wrapper is enough: it carries Twilio's own estimate."""
    simulated = SimulatorConfig(accounts=(AccountConfig(cps=1, latency=0.01),))
    policy = {"cps": 1, "mode": "observe", "poll_seconds": 3600}
    with stack(simulated, policy, environ={"CALLGUARD_API_KEY": API_KEYS}) as guard:
        wait_until(lambda: guard.stores.tracker.snapshot(SID, 0).polled_ms, "the first poll is over", timeout=20)
        guard.twilio.start_runaway(SID, RunawayPlan(120))
        wait_until(lambda: guard.twilio.account(SID).created == 120, "calls are queued that nobody told of")
        client_of(guard).calls.create(to=TO, from_=FROM, twiml="<Response/>")
        wait_until(lambda: guard.stores.tracker.snapshot(SID, 0).depth, "the report is in")

        account = asked(guard, f"/api/accounts/{SID}")

        assert account["drain_seconds"] == pytest.approx(guard.twilio.account(SID).drain_seconds, abs=2)
        assert account["queue_depth"] == 1
        assert account["phantom_slots"] > 100, "slots of calls that the guard has not seen"


def test_a_person_cancels_one_call() -> None:
    simulated = SimulatorConfig(accounts=(AccountConfig(cps=1, latency=0.01),))
    environ = {"CALLGUARD_API_KEY": API_KEYS}
    with stack(simulated, {"cps": 1}, workers=False, environ=environ) as guard:
        guard.twilio.start_runaway(SID, RunawayPlan(20))
        wait_until(lambda: guard.twilio.account(SID).created == 20, "calls are queued")
        last = list(guard.twilio.statuses(SID))[-1]

        answer = asked(guard, f"/api/call/cancel/{last}", method="PUT")

        assert answer == {
            "responseCode": 200, "message": "Call canceled successfully!", "data": {"removedJobs": 1}
        }  # fmt: skip
        assert guard.twilio.statuses(SID)[last] == "canceled"
        assert guard.twilio.account(SID).cancelled == 1


def test_event_streams_alone_trip_the_guard() -> None:
    port = free_port()
    sink = EventSink(f"http://127.0.0.1:{port}/twilio/events")
    simulated = SimulatorConfig(accounts=(AccountConfig(cps=5, latency=0.01, event_sink=sink),))
    with stack(simulated, {"cps": 5, "poll_seconds": 3600, "quiet_seconds": 900}, port=port) as guard:
        guard.twilio.start_runaway(SID, RunawayPlan(300, rate=100))
        began = time.monotonic()
        wait_until(lambda: state(guard) is not State.ARMED, "the guard trips", timeout=20)

        incident = guard.stores.incidents.current(SID)
        assert incident is not None
        assert incident.finding.rule is Rule.SPIKE
        assert time.monotonic() - began < 15
        wait_until(lambda: guard.twilio.account(SID).queued == 0, "all is cancelled", timeout=60)


def test_an_announced_campaign_trips_nothing_and_is_not_cancelled() -> None:
    simulated = SimulatorConfig(accounts=(AccountConfig(cps=5, latency=0.01),))
    policy = {"cps": 5, "poll_seconds": 0.5, "quiet_seconds": 2}
    with stack(simulated, policy, environ={"CALLGUARD_API_KEY": API_KEYS}) as guard:
        environ = {"TWILIO_ACCOUNT_SID": SID, "TWILIO_AUTH_TOKEN": TOKEN, "CALLGUARD_REDIS_URL": redis_url(guard)}
        announced = ["campaign", SID, "--calls", "200", "--from", FROM, "--until", "1h"]
        said = subprocess.run(
            [sys.executable, "-m", "callguard", *announced],
            env={"PYTHONPATH": str(ROOT), "PATH": "", **environ}, capture_output=True, text=True, check=True,
        )  # fmt: skip
        assert "200 calls from +1555***11 are announced" in said.stdout

        guard.twilio.start_runaway(SID, RunawayPlan(200, from_number=FROM))
        wait_until(lambda: guard.stores.tracker.snapshot(SID, 0).announced > 150, "its calls are seen")
        assert state(guard) is State.ARMED

        guard.twilio.start_runaway(SID, RunawayPlan(150, from_number="+15550003333"))
        wait_until(lambda: state(guard) is State.COOLING, "another number trips the guard", timeout=60)
        truth = guard.twilio.account(SID)
        assert truth.cancelled <= 150
        assert truth.queued > 50, "the campaign goes on"
        (campaign,) = asked(guard, f"/api/accounts/{SID}/campaigns")["campaigns"]
        assert campaign["calls"] == 200
        assert 150 < campaign["came"] <= 200, "some may have been dialled before the list showed them"


def redis_url(guard: Stack) -> str:
    return f"unix://{guard.logs / 'valkey.sock'}"


def test_one_wrong_report_takes_no_other_along() -> None:
    """The guard takes a batch whole or not at all; the client sends again without what was wrong."""
    simulated = SimulatorConfig(accounts=(AccountConfig(cps=1),))
    with stack(simulated, {"cps": 1}, workers=False, environ={"CALLGUARD_API_KEY": API_KEYS}) as guard:
        guarded = GuardedHttpClient(f"http://127.0.0.1:{guard.port}", api_key=KEYS["reporter"])
        for number in range(50):
            report = {"sid": f"CA{number:032x}", "account_sid": SID, "status": "queued", "queue_time": "1000"}
            if number % 10 == 0:
                report |= {"queue_time": "-1"} if number else {"account_sid": "AC" + "9" * 32}
            guarded._line.reports.add(report)
        guarded.close()

        assert guard.stores.tracker.snapshot(SID, 0).depth == 45
