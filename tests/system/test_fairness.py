"""Several accounts share the workers, and a script that goes on is swept as it goes."""

import logging
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from callguard.domain.snapshot import State
from callguard.simulator import AccountConfig, RunawayPlan, SimulatorConfig
from tests.stack import SID, TOKEN, Stack, stack
from tests.system.accounting import assert_counts_add_up, state, wait_for_the_end
from tests.waiting import wait_until

MANY, FEW = 10_000, 10
LARGE = [SID, "AC" + "1" * 32]
SMALL = "AC" + "2" * 32

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]

_log = logging.getLogger(__name__)


@contextmanager
def guarding(folder: Path, sids: Sequence[str], workers: int) -> Iterator[Stack]:
    """Guard accounts that trip at a few calls, with so many cancel workers."""
    simulated = SimulatorConfig(
        accounts=tuple(AccountConfig(sid, TOKEN, cps=1.0, latency=0.1, ceiling=10) for sid in sids)
    )
    config = folder / "callguard.toml"
    config.write_text("".join(f'[[accounts]]\nsid = "{sid}"\nauth_token = "{TOKEN}"\n' for sid in sids))
    policy = {"poll_seconds": 1, "spike_burst": 5, "min_backlog": 5}
    environ = {"CALLGUARD_CONFIG": str(config), "CALLGUARD_CANCEL_WORKERS": str(workers)}
    with stack(simulated, policy, environ=environ) as guard:
        yield guard


@pytest.mark.parametrize("workers", [1, 2])
def test_a_few_calls_do_not_wait_for_many(tmp_path: Path, workers: int) -> None:
    """Each worker has a large account to drain when the small one trips."""
    large = LARGE[:workers]
    with guarding(tmp_path, [*large, SMALL], workers) as guard:
        for sid in large:
            guard.twilio.start_runaway(sid, RunawayPlan(MANY))
        wait_until(
            lambda: all(guard.twilio.account(sid).cancelled > 100 for sid in large), "all workers are busy", 90
        )
        guard.twilio.start_runaway(SMALL, RunawayPlan(FEW))
        began = time.monotonic()
        wait_until(lambda: guard.twilio.account(SMALL).created == FEW, "the small account has its calls")
        wait_until(lambda: guard.twilio.account(SMALL).queued == 0, "the small account is drained", timeout=60)
        took, left = time.monotonic() - began, [guard.twilio.account(sid).queued for sid in large]
        _log.info("%d worker(s): the small account took %.1f s, the large have %s calls left", workers, took, left)

        assert min(left) > MANY / 2
        wait_until(lambda: state(guard, SMALL) is State.COOLING, "the small account's drain is over", timeout=30)
        assert_counts_add_up(guard, SMALL)
        cancelled = [guard.twilio.account(sid).cancelled for sid in large]
        wait_until(
            lambda: all(
                guard.twilio.account(sid).cancelled > before + 100
                for sid, before in zip(large, cancelled, strict=True)
            ),
            "the large accounts are drained again",
            timeout=30,
        )


def test_new_calls_are_cancelled_as_they_come(tmp_path: Path) -> None:
    """The script sets no callback, so only Twilio's list shows its calls; later it comes back."""
    with guarding(tmp_path, [SID], workers=1) as guard:
        waits = _longest_wait(guard, RunawayPlan(300, 25.0))
        _log.info("while the script went on, no call was queued for more than %.1f s", waits)
        assert waits < 10
        wait_for_the_end(guard)
        assert_counts_add_up(guard)

        guard.twilio.start_runaway(SID, RunawayPlan(30))
        wait_until(lambda: guard.twilio.account(SID).created == 330, "the script is back")
        wait_for_the_end(guard)
        assert_counts_add_up(guard)
        incident = guard.stores.incidents.current(SID)
        assert incident is not None
        assert incident.generation == 1


def _longest_wait(guard: Stack, plan: RunawayPlan) -> float:
    """Run away, and return the longest time for which any call was seen queued."""
    first_seen: dict[str, float] = {}
    longest = 0.0
    guard.twilio.start_runaway(SID, plan)
    while guard.twilio.account(SID).created < plan.calls or guard.twilio.account(SID).queued:
        now = time.monotonic()
        for call, status in guard.twilio.statuses(SID).items():
            if status == "queued":
                longest = max(longest, now - first_seen.setdefault(call, now))
        if longest > 60:
            break
        time.sleep(0.1)
    return longest
