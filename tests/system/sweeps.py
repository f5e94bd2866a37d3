"""A runaway, struck while it is being cancelled."""

import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from callguard.simulator import CallEvent, RunawayPlan, SimulatorConfig, StatusCallback
from tests.callback_requests import PATH
from tests.stack import ROOT, SID, Stack, stack
from tests.system.accounting import assert_counts_add_up, cancelled_times, longest_gap, wait_for_the_end
from tests.system.strikes import LOST_SECONDS, Blow, FileSizes, Striker, Victim
from tests.waiting import wait_until

POLICY = {"poll_seconds": 1, "quiet_seconds": 600}

# The append-only file is looked at now and then, and Twilio answers after the fact.
MARGIN_SECONDS = 0.5


WITHIN_SECONDS = 5.0
START_SECONDS = 1.5
"""What a worker's imports take on two cores that have little else to do."""


@dataclass(frozen=True)
class Strike:
    """Whom to strike once this share of the calls is cancelled."""

    share: float
    victim: Victim


def swept(
    simulated: SimulatorConfig,
    plan: RunawayPlan,
    strikes: Sequence[Strike],
    *,
    workers: int = 2,
    with_callbacks: bool = True,
    environ: Mapping[str, str] | None = None,
) -> list[tuple[Blow, float]]:
    """Run away, strike, wait for the end, and hold the guard's books against Twilio's.

    Returns each blow with the longest time after it, up to the next, in which nothing was cancelled (seconds).
    """
    more = {"CALLGUARD_CANCEL_WORKERS": str(workers), **(environ or {})}
    with stack(simulated, POLICY, environ=more) as guard, FileSizes(guard.logs) as sizes:
        striker = Striker(guard, sizes)
        callback = StatusCallback(f"http://127.0.0.1:{guard.port}{PATH}", events=frozenset(CallEvent))
        plan = RunawayPlan(plan.calls, plan.rate, callback=callback if with_callbacks else None)
        guard.twilio.start_runaway(SID, plan)
        for strike in strikes:
            _wait_for_share(guard, strike.share, plan.calls)
            striker.strike(strike.victim)
        wait_for_the_end(guard, timeout=120)
        assert_counts_add_up(guard, unheard=[_forgotten(blow) for blow in striker.blows if blow.forgets])
        return list(zip(striker.blows, _gaps(guard, striker.blows), strict=True))


def allowed_seconds() -> float:
    """Return how long a sweep may rest on this machine: longer where it is busy, and programs start slowly."""
    began = time.monotonic()
    subprocess.run([sys.executable, "-c", "import workers.cancel_worker"], cwd=ROOT, check=True)
    return WITHIN_SECONDS * max(1.0, (time.monotonic() - began) / START_SECONDS)


def _wait_for_share(guard: Stack, share: float, calls: int) -> None:
    count = max(1, round(share * calls))

    def is_time() -> bool:
        truth = guard.twilio.account(SID)
        return truth.cancelled >= count or (truth.created == calls and not truth.queued)

    wait_until(is_time, f"{count} are cancelled", timeout=120)


def _forgotten(blow: Blow) -> tuple[float, float]:
    return blow.at - LOST_SECONDS - MARGIN_SECONDS, blow.at + MARGIN_SECONDS


def _gaps(guard: Stack, blows: Sequence[Blow]) -> list[float]:
    times = cancelled_times(guard)
    ends = [after.at for _, after in pairwise(blows)] + [float("inf")]
    return [longest_gap(times, blow.restarted_at, end) for blow, end in zip(blows, ends, strict=True)]
