"""Callbacks per second, beside a bare Flask route under the same gunicorn in the same run."""

from statistics import median

from callguard.simulator import SimulatorConfig
from tests.benchmarks.load import run_load
from tests.callback_requests import signed_callback
from tests.stack import SID, TOKEN, answers, free_port, gunicorn, stack
from tests.waiting import wait_until

REQUESTS, CONNECTIONS, ROUNDS = 4000, 16, 9


def measure() -> list[str]:
    """Return the lines of the report."""
    ours: list[float] = []
    bare: list[float] = []
    quiet = {"initiated_burst": 1_000_000, "poll_seconds": 3600}
    with stack(SimulatorConfig(), quiet, workers=False) as guard:
        bare_port = free_port()
        environ = {
            "TWILIO_ACCOUNT_SID": SID,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "CALLGUARD_PUBLIC_URL": "http://127.0.0.1",
            "CALLGUARD_REDIS_URL": "redis://127.0.0.1",  # our configuration asks for one; nothing connects
        }
        with gunicorn("tests.benchmarks.bare:app", bare_port, environ, guard.logs / "bare.log"):
            wait_until(lambda: answers(bare_port, "/"), "the bare server answers", timeout=30)
            url = f"http://127.0.0.1:{guard.port}"
            for _ in range(ROUNDS):
                requests = [signed_callback(url, SID, TOKEN) for _ in range(REQUESTS)]
                for port, rates in ((bare_port, bare), (guard.port, ours)):
                    result = run_load("127.0.0.1", port, requests, CONNECTIONS)
                    if result.statuses != {204: REQUESTS}:
                        raise RuntimeError(f"not all callbacks were answered 204: {result.statuses}")
                    rates.append(result.per_second)
        account = guard.services.accounts[SID]
        counted = guard.stores.readings.read(SID, account.policy, guard.services.clock.now_ms()).totals
    if counted["calls:initiated"] != REQUESTS * ROUNDS:
        raise RuntimeError(f"{counted['calls:initiated']} were counted of {REQUESTS * ROUNDS}")
    ratio = median(our / their for our, their in zip(ours, bare, strict=True))
    return [
        f"bare Flask route, 204:        {median(bare):6,.0f} requests/s (median of {ROUNDS} rounds)",
        f"/twilio/status, all counted:  {median(ours):6,.0f} callbacks/s",
        f"ratio:                        {ratio:6.2f}  (wanted: 0.60 or more)",
    ]
