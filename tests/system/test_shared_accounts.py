"""Watchers share the accounts: each has one, and those of a killed watcher are taken over within seconds."""

import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from callguard.domain.snapshot import State
from callguard.simulator import AccountConfig, RunawayPlan, SimulatorConfig
from callguard.store.keys import WATCHED
from tests.stack import SID, TOKEN, Part, Stack, stack
from tests.waiting import wait_until

SIDS = [SID, *(f"AC{number:032x}" for number in range(1, 8))]

pytestmark = [pytest.mark.full, pytest.mark.timeout(120)]

_log = logging.getLogger(__name__)


@contextmanager
def guarding(folder: Path) -> Iterator[tuple[Stack, Part]]:
    """Guard eight accounts, with a watcher that is supervised and one that is not."""
    config = folder / "callguard.toml"
    config.write_text("".join(f'[[accounts]]\nsid = "{sid}"\nauth_token = "{TOKEN}"\n' for sid in SIDS))
    simulated = SimulatorConfig(accounts=tuple(AccountConfig(sid, TOKEN, cps=0.1, latency=0.05) for sid in SIDS))
    policy = {"poll_seconds": 1, "spike_burst": 5, "min_backlog": 5}
    with stack(simulated, policy, environ={"CALLGUARD_CONFIG": str(config)}) as guard:
        assert guard.workers is not None
        other = Part([sys.executable, "-m", "workers", "watcher"], guard.workers.environ, folder / "other.log")
        with other:
            yield guard, other


def watchers(guard: Stack) -> dict[str, str]:
    """Return the watcher of each account that has one."""
    held: Any = guard.stores.connection.hgetall(WATCHED)
    return {sid: owner for sid, owner in held.items() if not owner.startswith(":")}


def share_out(guard: Stack) -> list[int]:
    owners = list(watchers(guard).values())
    return sorted(owners.count(owner) for owner in set(owners))


def test_two_watchers_share_them_and_one_takes_over_when_the_other_is_killed(tmp_path: Path) -> None:
    with guarding(tmp_path) as (guard, other):
        wait_until(lambda: share_out(guard) == [4, 4], "each watcher has half", timeout=20)
        orphans = [sid for sid, owner in watchers(guard).items() if f"-{other.pid}-" in owner]
        assert len(orphans) == 4

        os.kill(other.pid, signal.SIGKILL)
        killed = time.monotonic()
        wait_until(lambda: share_out(guard) == [8], "the other has them all", timeout=20)
        took = time.monotonic() - killed
        _log.info("the accounts of a killed watcher were taken over after %.1f s", took)
        wild = orphans[0]
        guard.twilio.start_runaway(wild, RunawayPlan(20))
        wait_until(
            lambda: guard.stores.tracker.snapshot(wild, 0).state is not State.ARMED,
            "it trips",
            timeout=20,
        )


def test_a_watcher_that_ends_leaves_its_accounts_at_once(tmp_path: Path) -> None:
    with guarding(tmp_path) as (guard, other):
        wait_until(lambda: share_out(guard) == [4, 4], "each watcher has half", timeout=20)
        other.end()

        wait_until(lambda: share_out(guard) == [8], "the other has them all", timeout=20)
