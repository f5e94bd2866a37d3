"""From the callback that crosses the line to the trip."""

import time
from collections.abc import Sequence
from statistics import median

import requests

from callguard.domain.snapshot import State
from callguard.simulator import AccountConfig, RunawayPlan, SimulatorConfig
from tests.benchmarks.load import run_load
from tests.callback_requests import signed_callback
from tests.stack import SID, TOKEN, Stack, stack
from tests.waiting import wait_until

BURST, QUEUED, ROUNDS = 30, 200, 5


def measure() -> list[str]:
    """Return the lines: with a known backlog, and where Twilio has to be asked first."""
    entrance = [_round(status="queued", poll=3600) for _ in range(ROUNDS)]
    exit_only = [_round(status="initiated", poll=3600) for _ in range(ROUNDS)]
    reports = [_round(status="", poll=3600) for _ in range(ROUNDS)]
    return [
        f"`queued` callbacks (backlog known):        {median(entrance):.3f} s, worst {max(entrance):.3f} s",
        f"`initiated` callbacks (Twilio asked first): {median(exit_only):.3f} s, worst {max(exit_only):.3f} s",
        f"reports by a program (Twilio asked first):  {median(reports):.3f} s, worst {max(reports):.3f} s",
        "  (wanted: 1 s; median and worst of 5, processes started afresh each time)",
    ]


def _round(*, status: str, poll: float) -> float:
    simulated = SimulatorConfig(accounts=(AccountConfig(cps=1.0, latency=0.1),))
    policy = {
        "initiated_burst": BURST,
        "spike_burst": BURST,
        "min_backlog": 10,
        "poll_seconds": poll,
        "mode": "observe",
    }
    with stack(simulated, policy) as guard:
        wait_until(lambda: guard.stores.tracker.snapshot(SID, 0).polled_ms, "the first poll is over", timeout=20)
        guard.twilio.start_runaway(SID, RunawayPlan(QUEUED))
        url = f"http://127.0.0.1:{guard.port}"
        if status:
            callbacks = [signed_callback(url, SID, TOKEN, status=status) for _ in range(BURST + 1)]
            run_load("127.0.0.1", guard.port, callbacks, 1)
        else:
            wait_until(lambda: guard.twilio.account(SID).created == QUEUED, "all are created")
            _report(url, list(guard.twilio.statuses(SID)))
        crossed = time.time()
        wait_until(lambda: _state(guard) is not State.ARMED, "the guard trips", timeout=10)
        incident = guard.stores.incidents.current(SID)
        if incident is None:
            raise RuntimeError("the guard tripped without an incident")
        return max(0.0, incident.tripped_ms / 1000 - crossed)


def _report(url: str, call_sids: Sequence[str]) -> None:
    calls = [{"sid": sid, "account_sid": SID, "from": "+15550100000", "to": "+15550001111"} for sid in call_sids]
    requests.post(f"{url}/api/reports", json={"calls": calls}, timeout=5).raise_for_status()


def _state(guard: Stack) -> State:
    return guard.stores.tracker.snapshot(SID, 0).state
