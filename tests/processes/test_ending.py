import signal
import subprocess
import sys
from pathlib import Path

import pytest

from callguard.processes import ending
from callguard.processes.spawn import Output, spawn
from tests.processes.victims import is_running
from tests.waiting import wait_until


def _python(script: str) -> "subprocess.Popen[bytes]":
    """Start a child that says something once it is ready."""
    child = spawn([sys.executable, "-c", script], output=Output.PIPE)
    assert child.stdout is not None
    return child


def test_a_child_ends_on_sigterm_and_can_be_ended_again() -> None:
    child = spawn(["sleep", "60"])

    assert ending.end(child, grace_seconds=5.0) == -signal.SIGTERM
    assert ending.end(child, grace_seconds=5.0) == -signal.SIGTERM


def test_a_child_deaf_to_sigterm_is_killed_after_its_grace() -> None:
    with _python("import signal; signal.signal(15, signal.SIG_IGN); print(flush=True); signal.pause()") as child:
        assert child.stdout is not None
        child.stdout.readline()

        assert ending.end(child, grace_seconds=0.05) == -signal.SIGKILL


def test_a_running_child_is_not_reaped() -> None:
    child = spawn(["sleep", "60"])
    try:
        assert ending.reap(child) is None
    finally:
        ending.kill(child)


@pytest.mark.skipif(sys.platform != "linux", reason="sessions are searched on Linux only")
def test_what_a_child_leaves_in_its_session_is_ended_with_it() -> None:
    """As gunicorn's workers, and RQ's work-horses, which put themselves in a process group of their own."""
    script = (
        "import os, subprocess, time\n"
        "one = subprocess.Popen(['sleep', '60'])\n"
        "two = subprocess.Popen(['sleep', '60'], process_group=0)\n"
        "print(one.pid, two.pid, flush=True)\n"
        "time.sleep(60)"
    )
    with _python(script) as child:
        assert child.stdout is not None
        grandchildren = [int(word) for word in child.stdout.readline().split()]
        assert all(is_running(pid) for pid in grandchildren)

        ending.kill(child)

        wait_until(lambda: not any(map(is_running, grandchildren)), "the grandchildren end", timeout=2.0)


def test_the_exit_code_is_the_childs_own(tmp_path: Path) -> None:
    child = spawn(["sh", "-c", "exit 7"], output=tmp_path / "log")

    wait_until(lambda: ending.reap(child) is not None, "it exits")

    assert ending.kill(child) == 7
