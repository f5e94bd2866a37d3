"""The wheel as people run it: installed by the Dockerfile's own lines, away from the checkout."""

import http.client
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest
import yaml

from callguard.bootstrap import ConsoleParts, build_console
from callguard.config.settings import load_settings
from callguard.processes.embedded_valkey import EmbeddedValkey
from callguard.processes.ending import end
from callguard.processes.spawn import spawn
from callguard.simulator import AccountConfig, RunawayPlan, RunningSimulator, SimulatorConfig, running
from tests.callback_requests import signed_callback
from tests.install import image
from tests.stack import SID, TOKEN, answers, free_port
from tests.waiting import wait_until

pytestmark = [pytest.mark.full, pytest.mark.timeout(600)]

# A script in a shell's background has an ignored SIGINT, and perhaps nothing to read.
IN_THE_BACKGROUND = ("sh", "-c", 'trap "" INT; cd "$1"; shift; exec "$@" <&-', "sh")

# The last is imported by gunicorn alone, when it starts: what it needs is declared under an extra of gunicorn's.
IMPORT_EVERYTHING = """
import importlib, pkgutil, sys
import callguard, workers
sys.modules["pytest"] = None
for package in (callguard, workers):
    assert "site-packages" in package.__file__, package.__file__
    for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
        importlib.import_module(module.name)
importlib.import_module("gunicorn.workers.ggevent")
"""


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A new environment in which there is nothing but what the image has."""
    folder = tmp_path_factory.mktemp("image")
    subprocess.run([sys.executable, "-m", "venv", folder / "venv"], check=True)
    image.install(folder / "venv", folder / "stages")
    return folder / "venv"


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A folder without any of our files."""
    (tmp_path / "elsewhere").mkdir()
    return tmp_path / "elsewhere"


def clean(venv: Path, **more: str) -> dict[str, str]:
    """Return an environment that says nothing of CallGuard or Twilio but `more`."""
    ours = re.compile("_?CALLGUARD|TWILIO|PYTHON|VIRTUAL_ENV")
    kept = {name: value for name, value in os.environ.items() if not ours.match(name)}
    return {**kept, "PATH": f"{venv / 'bin'}:{os.environ['PATH']}", **more}


@contextmanager
def background(
    argv: Sequence[str], environ: Mapping[str, str], folder: Path, log: Path
) -> Iterator["subprocess.Popen[bytes]"]:
    """Run a program as `argv & ` in a script does, with standard input closed."""
    words = ["env", "-i", *(f"{k}={v}" for k, v in environ.items()), *IN_THE_BACKGROUND, str(folder), *argv]
    process = spawn(words, output=log)
    try:
        yield process
    finally:
        end(process, grace_seconds=20)


def test_every_module_can_be_imported_without_what_only_tests_need(venv: Path, elsewhere: Path) -> None:
    subprocess.run([venv / "bin" / "python", "-c", IMPORT_EVERYTHING], cwd=elsewhere, env=clean(venv), check=True)


def test_its_requirements_are_met(venv: Path) -> None:
    subprocess.run([venv / "bin" / "python", "-m", "pip", "check"], check=True)


def test_the_sandbox_trips_and_cancels(venv: Path, elsewhere: Path, tmp_path: Path) -> None:
    told = tmp_path / "told"
    environ = clean(venv, CALLGUARD_DATA_DIR=str(tmp_path / "data"))

    with background(["callguard", "up", "--port", str(free_port())], environ, elsewhere, told) as up:
        wait_until(lambda: "STOPPED" in told.read_text() or up.poll() is not None, "it stops", timeout=120)
        check = subprocess.run(
            ["callguard", "check"], cwd=elsewhere, env=environ, capture_output=True, text=True, check=False
        )
        os.kill(up.pid, signal.SIGTERM)
        code = up.wait(30)

    assert "TRIPPED" in told.read_text()
    assert "STOPPED" in told.read_text()
    assert code == 0
    assert "BAD" not in check.stdout
    assert (check.returncode, check.stderr) == (0, "")


def test_the_parts_apart_guard_an_account(venv: Path, elsewhere: Path, tmp_path: Path) -> None:
    """gunicorn by the image's own command, the workers by that of `compose.yaml`."""
    port = free_port()
    serve = [word.replace(image.PREFIX, str(venv)) for word in image.command()]
    compose = yaml.safe_load((image.ROOT / "deploy" / "compose.yaml").read_text())
    work = compose["services"]["workers"]["command"]
    simulated = SimulatorConfig(accounts=(AccountConfig(cps=1, latency=0.01),))
    with running(simulated) as twilio, EmbeddedValkey(tmp_path / "data") as valkey:
        environ = settings(port, twilio, valkey)
        services = build_console(load_settings(environ))
        bound = clean(venv, **environ, CALLGUARD_BIND=f"127.0.0.1:{port}")
        with (
            background(serve, bound, elsewhere, tmp_path / "web.log"),
            background(work, bound, elsewhere, tmp_path / "workers.log"),
        ):
            wait_until(lambda: answers(port, "/readyz"), "the web server answers", timeout=60)
            assert answer_to_a_callback(port) == 204
            wait_until(lambda: len(services.stores.heartbeats.ages(0)) >= 2, "the workers beat", timeout=60)
            twilio.start_runaway(SID, RunawayPlan(200))
            wait_until(lambda: cancelled(services) >= 150, "the runaway is cancelled", timeout=60)
    assert "Traceback" not in (tmp_path / "web.log").read_text() + (tmp_path / "workers.log").read_text()


def settings(port: int, twilio: RunningSimulator, valkey: EmbeddedValkey) -> dict[str, str]:
    return {
        "TWILIO_ACCOUNT_SID": SID,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "CALLGUARD_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "CALLGUARD_REDIS_URL": valkey.url,
        "CALLGUARD_TWILIO_API_URL": twilio.url,
        "CALLGUARD_POLICY__POLL_SECONDS": "1",
    }


def answer_to_a_callback(port: int) -> int:
    """Send a signed callback and return the status of the answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
    connection.connect()
    connection.sock.sendall(signed_callback(f"http://127.0.0.1:{port}", SID, TOKEN))
    answer = http.client.HTTPResponse(connection.sock)
    answer.begin()
    connection.close()
    return answer.status


def cancelled(services: ConsoleParts) -> float:
    now_ms = services.clock.now_ms()
    totals = services.stores.readings.read(SID, services.accounts[SID].policy, now_ms).totals
    return totals.get("cancellations:cancelled", 0)
