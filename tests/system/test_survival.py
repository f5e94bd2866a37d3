"""Whatever is killed, whenever: the sweep goes on within seconds, and the counts add up.

`python -m tests.system.chaos --minutes 5` does so at random, for as long as you like.
"""

import logging
import random
from collections.abc import Sequence

import pytest

from callguard.simulator import AccountConfig, RunawayPlan, SimulatorConfig
from tests.system.strikes import Victim
from tests.system.sweeps import Strike, allowed_seconds, swept

PLAN = RunawayPlan(220, 40.0)
SIMULATED = SimulatorConfig(accounts=(AccountConfig(cps=1.0, latency=0.15, latency_jitter=0.5, ceiling=8),))

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]

_log = logging.getLogger(__name__)


def assert_goes_on(
    strikes: Sequence[Strike], *, plan: RunawayPlan = PLAN, workers: int, callbacks: bool = True
) -> None:
    struck = swept(SIMULATED, plan, strikes, workers=workers, with_callbacks=callbacks)
    for blow, gap in struck:
        _log.info("%s killed: nothing was cancelled for %.2f s", blow.victim.value, gap)
    assert max(gap for _, gap in struck) < allowed_seconds()


@pytest.mark.parametrize(
    ("victim", "workers"),
    [
        (Victim.HORSE, 1),
        (Victim.WORKER, 1),
        (Victim.WORKER, 2),
        (Victim.REDIS, 2),
        (Victim.REDIS_HANGS, 2),
        (Victim.REDIS_FORGETS, 2),
    ],
)
def test_a_sweep_goes_on(victim: Victim, workers: int) -> None:
    """Early, in the middle, and near the end."""
    luck = random.Random(f"{victim.value} {workers}")
    shares = (0.0, luck.uniform(0.3, 0.6), luck.uniform(0.85, 0.95))

    assert_goes_on([Strike(share, victim) for share in shares], workers=workers)


def test_a_sweep_goes_on_when_those_beside_it_are_killed() -> None:
    """The web server hears of calls, the watcher looks for them, the supervisor keeps the workers up."""
    beside = (Victim.WATCHER, Victim.WEB_WORKER, Victim.ARBITER, Victim.SUPERVISOR)
    shares = [wave + turn * 0.04 for wave in (0.0, 0.45, 0.8) for turn in range(len(beside))]

    assert_goes_on([Strike(share, victim) for share, victim in zip(shares, 3 * beside, strict=True)], workers=2)


def test_a_trip_that_redis_has_forgotten_comes_again() -> None:
    """Nothing but Twilio's list tells of the calls, and no further call is created."""
    assert_goes_on([Strike(0.0, Victim.REDIS_FORGETS)], plan=RunawayPlan(150), workers=1, callbacks=False)
