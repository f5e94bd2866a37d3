"""SIGHUP: the settings are read anew, if they are good; a terminal that is closed ends what runs in it."""

import os
import re
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from callguard.bootstrap import ConsoleParts, build_console
from callguard.config.fingerprint import fingerprint
from callguard.config.settings import load_settings
from callguard.domain.processes import Fingerprint
from callguard.simulator import AccountConfig, SimulatorConfig, running
from tests.callback_requests import signed_callback
from tests.slow_peers import answer_status
from tests.stack import SID, TOKEN, Part, answers, free_port, guard_at
from tests.system.strikes import children
from tests.waiting import wait_until

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]

SIMULATED = SimulatorConfig(accounts=(AccountConfig(cps=5, latency=0.01),))
# gunicorn's own format, without our formatter's redaction.
UNREDACTED = re.compile(r"^\[20\d\d-.*\[INFO\]", re.MULTILINE)
PROCESSES = 5  # two web processes, two cancel workers, a watcher


def write_mode(file: Path, mode: str, log_level: str = "INFO") -> None:
    file.write_text(f'log_level = "{log_level}"\n[policy]\nmode = "{mode}"\n')


def told(services: ConsoleParts) -> list[Fingerprint]:
    return [process.fingerprint for process in services.stores.heartbeats.processes(services.clock.now_ms())]


def all_run_with(services: ConsoleParts, environ: dict[str, str]) -> Callable[[], bool]:
    """Return whether all processes run with what the environment says now."""
    wanted = fingerprint(load_settings({**os.environ, **environ}))
    return lambda: told(services) == [wanted] * PROCESSES


def test_the_parts_apart_reload_good_settings_only(tmp_path: Path) -> None:
    port, file = free_port(), tmp_path / "callguard.toml"
    write_mode(file, "observe")
    more = {"CALLGUARD_CONFIG": str(file)}
    with running(SIMULATED) as twilio, guard_at(twilio.url, tmp_path, port, more=more) as parts:
        assert parts.workers is not None
        environ = {
            "TWILIO_ACCOUNT_SID": SID,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "CALLGUARD_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "CALLGUARD_TWILIO_API_URL": twilio.url,
            **more,
        }
        services, both = parts.services, (parts.web, parts.workers)
        wait_until(all_run_with(services, environ), "all tell that they observe", timeout=30)

        write_mode(file, "enforce")
        good = all_run_with(services, environ)
        assert not good()
        for part in both:
            os.kill(part.pid, signal.SIGHUP)
        wait_until(good, "all tell that they enforce", timeout=60)

        assert not UNREDACTED.search(parts.web.log.read_text().partition("Hang up: Master")[2])
        write_mode(file, "enfroce")
        for part in both:
            os.kill(part.pid, signal.SIGHUP)
        for part in both:
            wait_until(lambda log=part.log: "SIGHUP: nothing was changed" in log.read_text(), "it says so")  # type: ignore[misc]
            assert "enfroce" in part.log.read_text()
        assert answers(port, "/readyz")
        assert good()


def test_callguard_up_reloads_good_settings_only(tmp_path: Path) -> None:
    port, file = free_port(), tmp_path / "callguard.toml"
    write_mode(file, "observe", "WARNING")
    with running(SIMULATED) as twilio, ExitStack() as things:
        environ = {
            "TWILIO_ACCOUNT_SID": SID,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "CALLGUARD_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "CALLGUARD_TWILIO_API_URL": twilio.url,
            "CALLGUARD_DATA_DIR": str(tmp_path),
            "CALLGUARD_REDIS_URL": "",
            "CALLGUARD_CONFIG": str(file),
        }
        argv = [sys.executable, "-m", "callguard", "up", "--port", str(port)]
        up = things.enter_context(Part(argv, environ, tmp_path / "up.log"))
        wait_until(lambda: answers(port, "/readyz"), "the web server answers", timeout=60)
        url = f"unix://{tmp_path}/valkey.sock"
        services = build_console(load_settings({**os.environ, **environ, "CALLGUARD_REDIS_URL": url}))
        wait_until(all_run_with(services, environ), "all tell that they observe", timeout=60)

        write_mode(file, "enforce", "WARNING")
        good = all_run_with(services, environ)
        os.kill(up.pid, signal.SIGHUP)
        wait_until(good, "all tell that they enforce", timeout=60)

        write_mode(file, "enfroce")
        os.kill(up.pid, signal.SIGHUP)
        wait_until(lambda: "SIGHUP: nothing was changed" in up.log.read_text(), "it says so")
        assert answers(port, "/readyz")
        assert good()
        assert "Listening at" not in up.log.read_text()  # gunicorn too goes by the file's log_level


def test_callbacks_are_answered_all_along_a_reload(tmp_path: Path) -> None:
    """The old web processes go on until the new ones have loaded."""
    port = free_port()
    with (
        running(SIMULATED) as twilio,
        guard_at(twilio.url, tmp_path, port, workers=False) as parts,
        ThreadPoolExecutor(50) as pool,
    ):
        before = set(children(parts.web.pid))
        answered = [pool.submit(timed_callback, port) for _ in range(20)]
        os.kill(parts.web.pid, signal.SIGHUP)
        ends = time.monotonic() + 60
        while before & (after := set(children(parts.web.pid))) and time.monotonic() < ends:
            answered.append(pool.submit(timed_callback, port))
            time.sleep(0.05)

        took = sorted(seconds for status, seconds in (each.result() for each in answered) if status == 204)
        log = parts.web.log.read_text()

    late = sum(seconds > 1 for seconds in took)
    sys.stdout.write(f"\n{len(took)} callbacks, {late} took over a second, the slowest {took[-1]:.2f} s\n")
    assert len(took) == len(answered)
    assert not before & after, log


def timed_callback(port: int) -> tuple[int, float]:
    began = time.monotonic()
    status = answer_status(port, signed_callback(f"http://127.0.0.1:{port}", SID, TOKEN), patience=10)
    return status, time.monotonic() - began
