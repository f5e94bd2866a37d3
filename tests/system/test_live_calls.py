"""Live calls through the whole stack: hung up on, or redirected into a hold queue that an agent answers."""

import urllib.request
from typing import Any

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from callguard.domain.incidents import Incident, LiveOutcome
from callguard.domain.snapshot import State
from callguard.simulator import AccountConfig, Behaviour, RunawayPlan, SimulatorConfig
from tests.stack import SID, TOKEN, Stack, stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]

CPS = 5.0
AGENT = "+15550107777"
TALKING = Behaviour(ring_seconds=0.5, talk_seconds=900, answered=1, busy=0, no_answer=0, failed=0)
SIMULATED = SimulatorConfig(accounts=(AccountConfig(cps=CPS, latency=0.05, behaviour=TALKING),))
POLICY = {"cps": CPS, "poll_seconds": 1, "quiet_seconds": 900, "never_cancel": AGENT, "hold_queues": "true"}


def in_status(guard: Stack, status: str) -> set[str]:
    return {sid for sid, now in guard.twilio.statuses(SID).items() if now == status}


def caller(guard: Stack, from_number: str) -> str:
    """Create a call and wait until somebody answers."""
    before = set(guard.twilio.statuses(SID))
    guard.twilio.start_runaway(SID, RunawayPlan(1, from_number=from_number))
    wait_until(lambda: len(guard.twilio.statuses(SID)) > len(before), "it is created")
    (sid,) = set(guard.twilio.statuses(SID)) - before
    wait_until(lambda: guard.twilio.statuses(SID)[sid] == "in-progress", "somebody answers")
    return sid


def update(guard: Stack, call_sid: str, **form: str) -> None:
    """Change a call, as its owner's program would."""
    url = f"{guard.twilio.url}/2010-04-01/Accounts/{SID}/Calls/{call_sid}.json"
    requests.post(url, data=form, auth=(SID, TOKEN), timeout=10).raise_for_status()


def metrics(guard: Stack) -> dict[tuple[str, tuple[str, ...]], float]:
    with urllib.request.urlopen(f"http://127.0.0.1:{guard.port}/metrics", timeout=5) as answer:
        families = text_string_to_metric_families(answer.read().decode())
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in families
        for sample in family.samples
    }


def incident_of(guard: Stack) -> Incident:
    incident = guard.stores.incidents.current(SID)
    assert incident is not None
    return incident


def sent(guard: Stack) -> dict[str, list[Any]]:
    """What was sent for each call: a status, or None for a redirect."""
    by_call: dict[str, list[Any]] = {}
    for record in guard.twilio.updates(SID):
        by_call.setdefault(record.sid, []).append(record.status_sent)
    return by_call


def run_away(guard: Stack) -> None:
    guard.twilio.start_runaway(SID, RunawayPlan(200))
    wait_until(
        lambda: guard.stores.tracker.snapshot(SID, 0).state is State.COOLING,
        "the drain is over",
        timeout=60,
    )


def test_who_is_talking_is_hung_up_on_and_who_is_on_hold_is_not() -> None:
    with stack(SIMULATED, {**POLICY, "live_calls": "hangup"}) as guard:
        before = caller(guard, "+15550103333")
        held = caller(guard, RunawayPlan(1).from_number)
        guard.twilio.put_on_hold(SID, held, "support")
        wait_until(
            lambda: metrics(guard).get(("callguard_hold_queue_size", (SID, "support"))) == 1,
            "the hold queue is shown",
            timeout=40,
        )
        run_away(guard)

        def is_quiet() -> bool:
            left = in_status(guard, "in-progress") | in_status(guard, "ringing")
            return left == {held, before} and sum(incident_of(guard).live.values()) > 0

        wait_until(is_quiet, "the runaway is silent", timeout=40)
        incident, by_call = incident_of(guard), sent(guard)

        assert not {held, before} & by_call.keys()
        hung_up = [sid for sid, statuses in by_call.items() if guard.twilio.statuses(SID)[sid] == "completed"]
        assert {status for sid in hung_up for status in by_call[sid]} <= {"completed", "canceled"}
        assert incident.live.get(LiveOutcome.HUNG_UP, 0) >= len(hung_up) > 0
        assert incident.found == sum(incident.outcomes.values()) + incident.remaining + incident.protected
        shown = metrics(guard)
        assert shown["callguard_live_calls_total", (SID, "hung_up")] == incident.live[LiveOutcome.HUNG_UP]


def test_who_is_talking_is_put_on_hold_and_an_agent_answers() -> None:
    """Twilio fetches the guard's own TwiML, signed, for the callers and for the agent."""
    with stack(SIMULATED, {**POLICY, "live_calls": "redirect", "live_calls_queue": "sorry"}) as guard:
        agent = caller(guard, AGENT)
        run_away(guard)
        wait_until(
            lambda: in_status(guard, "in-progress") == {*guard.twilio.on_hold(SID, "sorry"), agent},
            "all are on hold",
            timeout=40,
        )
        waiting = guard.twilio.on_hold(SID, "sorry")

        update(guard, agent, Url=f"http://127.0.0.1:{guard.port}/twilio/agent")

        wait_until(lambda: guard.twilio.on_hold(SID, "sorry") == waiting[1:], "an agent has answered", timeout=20)
        wait_until(
            lambda: metrics(guard).get(("callguard_hold_queue_size", (SID, "sorry"))) == len(waiting) - 1,
            "the hold queue is shown",
            timeout=40,
        )
        by_call = sent(guard)
        assert [by_call[sid].count(None) for sid in waiting] == [1] * len(waiting), "each was redirected once"
        assert not [sid for sid in waiting if "completed" in by_call[sid]]
        assert by_call[agent] == [None], "ours, above"
        assert {*waiting, agent} == in_status(guard, "in-progress")
        assert incident_of(guard).live == {LiveOutcome.REDIRECTED: len(waiting)}
        shown = metrics(guard)
        assert shown["callguard_live_calls_total", (SID, "redirected")] == len(waiting)
        assert shown["callguard_queue_depth", (SID,)] == 0, "who is on hold is in no rate queue"
        assert_no_numbers(guard)


def assert_no_numbers(guard: Stack) -> None:
    written = b"".join(file.read_bytes() for file in (guard.logs / "appendonlydir").iterdir())
    logged = b"".join(file.read_bytes() for file in guard.logs.glob("*.log"))
    for secret in (RunawayPlan(1).from_number[1:], AGENT[1:], TOKEN):
        assert secret.encode() not in written
        assert secret.encode() not in logged
