"""The sweep against the dialler: 2,000 queued calls at 5 CPS, 100 ms latency, ceiling 100."""

from callguard.domain.snapshot import State
from callguard.domain.tally import Outcome
from callguard.simulator import AccountConfig, RunawayPlan, SimulatorConfig
from tests.stack import SID, stack
from tests.waiting import wait_until

CALLS, CPS, LATENCY, CEILING = 2000, 5.0, 0.1, 100


def measure() -> list[str]:
    """Return the lines of the report."""
    simulated = SimulatorConfig(accounts=(AccountConfig(cps=CPS, latency=LATENCY, ceiling=CEILING),))
    with stack(simulated, {"cps": CPS}) as guard:
        tracker = guard.stores.tracker
        wait_until(lambda: tracker.snapshot(SID, 0).polled_ms, "the first poll is over", timeout=20)
        guard.twilio.start_runaway(SID, RunawayPlan(CALLS))
        wait_until(lambda: tracker.snapshot(SID, 0).state is not State.ARMED, "the guard trips", timeout=30)
        dialled_before = guard.twilio.account(SID).dialled
        wait_until(lambda: tracker.snapshot(SID, 0).state is State.COOLING, "all is cancelled", timeout=120)
        truth = guard.twilio.account(SID)
        incident = guard.stores.incidents.current(SID)
        if incident is None:
            raise RuntimeError("no incident")
    seconds = (incident.cooled_ms - incident.tripped_ms) / 1000
    return [
        f"{CALLS:,} calls queued at {CPS:g} CPS, {LATENCY * 1000:g} ms latency, ceiling {CEILING}, no callbacks:",
        f"  cancelled {truth.cancelled:,}; left queued {truth.queued} (wanted: 0)",
        f"  dialled in all {truth.dialled}, after the trip {truth.dialled - dialled_before} (wanted: 20 or fewer)",
        f"  from the trip to two empty lists {seconds:.1f} s; most requests at once {truth.max_concurrent},"
        f" answered 429: {truth.requests.throttled}",
        f"  the guard's own account: {incident.count(Outcome.CANCELLED):,} cancelled,"
        f" {incident.count(Outcome.DIALLED)} dialled, {incident.count(Outcome.GONE)} gone",
    ]
