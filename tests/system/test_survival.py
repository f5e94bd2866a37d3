"""Whatever is killed, whenever: the sweep goes on within seconds, and the counts add up."""

import logging
import random
from collections.abc import Sequence
from itertools import pairwise

import pytest

from callguard.simulator import AccountConfig, CallEvent, RunawayPlan, SimulatorConfig, StatusCallback
from tests.callback_requests import PATH
from tests.stack import SID, Stack, stack
from tests.system.accounting import assert_counts_add_up, cancelled_times, longest_gap, wait_for_the_end
from tests.system.strikes import LOST_SECONDS, Blow, FileSizes, Striker, Victim
from tests.waiting import wait_until

CALLS, CREATED_PER_SECOND = 280, 40.0
WITHIN_SECONDS = 5.0

SIMULATED = SimulatorConfig(accounts=(AccountConfig(cps=1.0, latency=0.15, latency_jitter=0.5, ceiling=8),))
POLICY = {"poll_seconds": 1, "quiet_seconds": 600}

pytestmark = pytest.mark.timeout(180)

_log = logging.getLogger(__name__)


def run_away(guard: Stack, calls: int = CALLS) -> None:
    callback = StatusCallback(f"http://127.0.0.1:{guard.port}{PATH}", events=frozenset(CallEvent))
    guard.twilio.start_runaway(SID, RunawayPlan(calls, CREATED_PER_SECOND, callback=callback))


def strike_in_a_sweep(striker: Striker, victim: Victim, shares: Sequence[float], calls: int = CALLS) -> None:
    """Strike when these shares of the calls are cancelled."""
    for share in shares:
        count = max(1, round(share * calls))
        wait_until(lambda: striker.guard.twilio.account(SID).cancelled >= count, f"{count} are cancelled", 60)  # noqa: B023
        striker.strike(victim)


def gaps(guard: Stack, blows: Sequence[Blow]) -> list[float]:
    """Return the longest time without a cancelled call after each blow, up to the next."""
    times = cancelled_times(guard)
    spans = pairwise([*blows, None])
    return [
        longest_gap(times, blow.restarted_at, after.at if after else float("inf")) for blow, after in spans if blow
    ]


@pytest.mark.parametrize("victim", Victim)
def test_a_sweep_survives(victim: Victim) -> None:
    luck = random.Random(victim.value)
    shares = (0.0, luck.uniform(0.3, 0.6), luck.uniform(0.85, 0.95))
    with stack(SIMULATED, POLICY) as guard, FileSizes(guard.logs) as sizes:
        striker = Striker(guard, sizes)
        run_away(guard)
        strike_in_a_sweep(striker, victim, shares)
        wait_for_the_end(guard)

        waited = gaps(guard, striker.blows)
        _log.info("%s: longest gaps %s s", victim.value, ", ".join(f"{gap:.2f}" for gap in waited))
        lost = victim is Victim.REDIS_FORGETS
        unheard = [(b.at - LOST_SECONDS - 0.5, b.at + 0.5) for b in striker.blows if lost]
        assert_counts_add_up(guard, unheard=unheard)
        assert max(waited) < WITHIN_SECONDS
