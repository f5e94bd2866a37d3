"""`callguard up`: the newcomer's first minute, and its end."""

import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from callguard.processes.ending import end
from callguard.processes.spawn import spawn
from tests.docs_tables import README
from tests.processes.victims import is_running
from tests.stack import answers, free_port
from tests.waiting import wait_until

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]


@pytest.fixture
def sandbox(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
    """A sandbox in a process of its own, and the file that it writes to.

    It starts in a folder whose modules have the names of ours, which must not matter.
    """
    told = tmp_path / "told"
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    for name in ("wsgi.py", "redis.py", "callguard.py", "workers.py"):
        (elsewhere / name).write_text("raise SystemExit('a module of the folder that we were started in')")
    monkeypatch.chdir(elsewhere)
    environ = {"CALLGUARD_DATA_DIR": str(tmp_path / "data"), "TWILIO_ACCOUNT_SID": "", "TWILIO_AUTH_TOKEN": ""}
    command = str(Path(sys.executable).with_name("callguard"))
    argv = [command, "up", "--port", str(free_port())]
    process = spawn(argv, env=environ, output=told)
    yield process, told
    end(process, grace_seconds=20)


def descendants(pid: int) -> list[int]:
    """Return all processes below a process."""
    try:
        children = [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except FileNotFoundError:
        return []
    return [*children, *(below for child in children for below in descendants(child))]


def story_in(text: str) -> tuple[list[str], set[str]]:
    """Return the lines of the sandbox's story, and the forms of those that show how things stand; figures masked.

    How often the latter come, and with which state, depends on the machine.
    """
    begin = text.index("00:00  A script creates")
    lines = [
        re.sub(r" *\d[\d,.]*", " N", line)
        for line in text[begin:].splitlines()
        if re.match(r"\d\d:\d\d  | {7}", line)
    ]
    standing = re.compile(r"^ N: N +(armed|tripped|draining|cooling) ")
    told = [line for line in lines if not standing.match(line)]
    return told, {standing.sub("", line).strip() for line in lines if standing.match(line)}


def test_the_sandbox_tells_the_whole_story_and_ends_on_ctrl_c(
    sandbox: tuple["subprocess.Popen[bytes]", Path],
) -> None:
    process, told = sandbox
    wait_until(lambda: "ARMED" in told.read_text(), "the guard is armed again", timeout=150)
    below = descendants(process.pid)
    os.kill(process.pid, signal.SIGINT)
    code = process.wait(30)

    story = told.read_text()
    assert code == 0
    assert "TRIPPED" in story
    assert "rule spike" in story
    assert story_in(story) == story_in(re.findall(r"```text\n(00:00 .*?)```", README.read_text(), re.DOTALL)[0])
    assert "drain estimate" in story
    assert "/metrics" in story
    assert "Traceback" not in story
    assert len(below) >= 8
    assert [pid for pid in below if is_running(pid)] == []


def test_nothing_outlives_a_kill(sandbox: tuple["subprocess.Popen[bytes]", Path]) -> None:
    process, told = sandbox
    wait_until(lambda: "script creates" in told.read_text(), "everything is up", timeout=60)
    below = descendants(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait(10)

    assert len(below) >= 8
    wait_until(lambda: not any(is_running(pid) for pid in below), "all are gone", timeout=30)


@pytest.mark.parametrize(
    ("environ", "named"),
    [
        ({"TWILIO_ACCOUNT_SID": "AC" + "0" * 32}, "TWILIO_AUTH_TOKEN"),
        ({"TWILIO_ACCOUNT_SID": "AC" + "0" * 32, "TWILIO_AUTH_TOKEN": "a" * 32}, "CALLGUARD_PUBLIC_URL"),
        ({"CALLGUARD_CONFIG": "/nowhere/callguard.toml"}, "CALLGUARD_CONFIG"),
    ],
)
def test_bad_settings_stop_the_start_with_their_name(environ: dict[str, str], named: str) -> None:
    blank = {"TWILIO_ACCOUNT_SID": "", "TWILIO_AUTH_TOKEN": "", "CALLGUARD_CONFIG": ""}
    argv = [sys.executable, "-m", "callguard", "up", "--port", str(free_port())]
    run = subprocess.run(
        argv, env={**os.environ, **blank, **environ}, capture_output=True, text=True, timeout=60, check=False
    )

    assert run.returncode == 1
    assert named in run.stderr
    assert "Traceback" not in run.stderr


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_it_guards_though_its_output_cannot_be_written(tmp_path: Path) -> None:
    """A full disk, where a service's output goes to a file."""
    port = free_port()
    environ = {
        "CALLGUARD_DATA_DIR": str(tmp_path),
        "CALLGUARD_REDIS_URL": "",
        "CALLGUARD_TWILIO_API_URL": "http://127.0.0.1:9",
        "CALLGUARD_PUBLIC_URL": f"http://127.0.0.1:{port}",
        "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
        "TWILIO_AUTH_TOKEN": "a" * 32,
    }
    argv = [sys.executable, "-m", "callguard", "up", "--port", str(port)]
    process = spawn(argv, env=environ, output=Path("/dev/full"))
    try:
        wait_until(lambda: answers(port, "/readyz"), "it serves", timeout=60)
        assert process.poll() is None
    finally:
        end(process, grace_seconds=20)

    assert process.returncode == 0
