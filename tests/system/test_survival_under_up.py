"""`callguard up` starts again whatever of it is killed, and the sweep goes on."""

import logging
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from callguard.bootstrap import build_console
from callguard.config.settings import load_settings
from callguard.processes.embedded_valkey import EmbeddedValkey
from callguard.simulator import RunawayPlan, running
from tests.stack import SID, TOKEN, Part, Stack, answers, free_port
from tests.system.accounting import assert_counts_add_up, cancelled_times, longest_gap, wait_for_the_end
from tests.system.strikes import children
from tests.system.sweeps import allowed_seconds
from tests.system.test_survival import PLAN, SIMULATED
from tests.waiting import wait_until

KILLED = (b"valkey-server", b"callguard.processes.serve", b"-m\0workers")

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]

_log = logging.getLogger(__name__)


def test_what_callguard_up_runs_comes_back(tmp_path: Path) -> None:
    port = free_port()
    with running(SIMULATED) as twilio:
        environ = {
            "TWILIO_ACCOUNT_SID": SID,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "CALLGUARD_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "CALLGUARD_TWILIO_API_URL": twilio.url,
            "CALLGUARD_DATA_DIR": str(tmp_path),
            "CALLGUARD_REDIS_URL": "",
            "CALLGUARD_POLICY__POLL_SECONDS": "1",
        }
        argv = [sys.executable, "-m", "callguard", "up", "--port", str(port)]
        with Part(argv, environ, tmp_path / "up.log") as up:
            wait_until(lambda: answers(port, "/readyz"), "the web server answers", timeout=60)
            url = f"unix://{tmp_path}/valkey.sock"
            services = build_console(load_settings({**os.environ, **environ, "CALLGUARD_REDIS_URL": url}))
            guard = Stack(port, services, twilio, tmp_path, EmbeddedValkey(tmp_path), up, None)
            wait_until(
                lambda: services.stores.heartbeats.ages(0).keys() >= {"watcher", "cancel-worker"},
                "the workers are up",
                timeout=60,
            )
            twilio.start_runaway(SID, RunawayPlan(PLAN.calls, PLAN.rate))
            killed_at = [_kill_at(guard, share, name) for share, name in zip((0.1, 0.4, 0.7), KILLED, strict=True)]
            wait_for_the_end(guard)

            ends = [*killed_at[1:], float("inf")]
            times = cancelled_times(guard)
            waited = [longest_gap(times, at, end) for at, end in zip(killed_at, ends, strict=True)]
            _log.info("Valkey, web, workers: nothing was cancelled for %s s", [round(gap, 2) for gap in waited])
            assert_counts_add_up(guard)
            assert max(waited) < allowed_seconds()
            wait_until(lambda: answers(port, "/readyz"), "the web server is back", timeout=30)


def _kill_at(guard: Stack, share: float, name: bytes) -> float:
    """Kill the child of `callguard up` with that in its command line once so many calls are cancelled."""
    wait_until(lambda: guard.twilio.account(SID).cancelled >= share * PLAN.calls, f"{share:.0%} are cancelled", 60)
    (pid,) = (pid for pid in children(guard.web.pid) if name in Path(f"/proc/{pid}/cmdline").read_bytes())
    os.kill(pid, signal.SIGKILL)
    return time.time()
