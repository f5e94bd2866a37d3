"""The commands beside a running sandbox, as a newcomer tries them in another terminal."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.stack import Part, free_port
from tests.waiting import wait_until

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]

BLANK = dict.fromkeys(("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "CALLGUARD_CONFIG", "CALLGUARD_REDIS_URL"), "")
CREDENTIALS = {"TWILIO_ACCOUNT_SID": "AC" + "1" * 32, "TWILIO_AUTH_TOKEN": "a" * 32}


def environ_in(folder: Path) -> dict[str, str]:
    # What is asked of the real Twilio goes nowhere.
    return {**BLANK, "CALLGUARD_DATA_DIR": str(folder / "data"), "HTTPS_PROXY": "http://127.0.0.1:9"}


def sandbox(environ: dict[str, str], folder: Path, *more: str) -> Part:
    argv = [sys.executable, "-m", "callguard", "up", "--port", str(free_port()), *more]
    return Part(argv, environ, folder / "told")


def command(environ: dict[str, str], *words: str) -> "subprocess.CompletedProcess[str]":
    argv = [sys.executable, "-m", "callguard", *words]
    return subprocess.run(
        argv, env={**os.environ, **environ}, capture_output=True, text=True, check=False, timeout=60
    )


@pytest.fixture(scope="module")
def environ(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, str]]:
    """The settings of a shell beside a sandbox whose runaway has tripped the guard."""
    folder = tmp_path_factory.mktemp("sandbox")
    environ = environ_in(folder)
    with sandbox(environ, folder):
        wait_until(lambda: "TRIPPED" in (folder / "told").read_text(), "it trips", timeout=60)
        yield environ


def test_the_commands_find_the_running_sandbox(environ: dict[str, str]) -> None:
    check, status = command(environ, "check"), command(environ, "status")
    looked = command(environ, "cancel", "--dry-run")

    assert "BAD" not in check.stdout
    assert "Twilio answers in" in check.stdout
    assert "/healthz answers in" in check.stdout
    assert "with the settings read here" in check.stdout
    assert "open incident" in status.stdout
    assert "DIFFERS" not in status.stdout
    assert "Nothing was cancelled: this was a dry run." in looked.stdout
    for ended in (check, status, looked):
        assert (ended.returncode, ended.stderr) == (0, "")
        assert ended.stdout.startswith("sandbox: ")


def test_calls_can_be_cancelled_by_hand_in_the_sandbox(environ: dict[str, str]) -> None:
    assert command(environ, "pause").returncode == 0

    ended = command(environ, "cancel", "--yes")

    assert ended.returncode == 0, ended.stdout + ended.stderr
    assert command(environ, "resume").returncode == 0


def test_a_sandbox_that_is_not_meant_or_is_gone_is_not_asked(tmp_path: Path) -> None:
    """What a killed one has left behind leads nowhere, and its credentials go to nobody."""
    environ = environ_in(tmp_path)
    with sandbox({**environ, **CREDENTIALS}, tmp_path, "--sandbox") as up:
        wait_until(lambda: "script creates" in (tmp_path / "told").read_text(), "it is up", timeout=60)
        with_credentials = command({**environ, **CREDENTIALS}, "status")
        os.kill(up.pid, signal.SIGKILL)
        assert (tmp_path / "data" / "sandbox" / "sandbox.json").exists()
        wait_until(lambda: command(environ, "check").returncode == 1, "its Valkey is gone", timeout=30)
        check, looked = command(environ, "check"), command(environ, "cancel", "--dry-run")

    assert with_credentials.returncode == 1
    assert "A sandbox runs in" in with_credentials.stderr
    assert "unset TWILIO_ACCOUNT_SID" in with_credentials.stderr
    assert "no running CallGuard found" in check.stderr
    assert "no account is configured" in looked.stderr
    assert "Twilio" not in check.stdout + looked.stdout
