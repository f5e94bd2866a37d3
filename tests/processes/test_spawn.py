import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from callguard.processes import ending
from callguard.processes.spawn import Output, spawn
from tests.processes.victims import is_running, victim
from tests.waiting import wait_until

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="only Linux has a signal for a parent's death")


@linux_only
@pytest.mark.parametrize("death_signal", [signal.SIGTERM, signal.SIGKILL], ids=lambda number: number.name)
def test_a_child_is_gone_after_kill_9_of_its_parent(death_signal: signal.Signals) -> None:
    with victim("spawn", death_signal.name) as (parent, child):
        assert is_running(child)

        parent.kill()

        wait_until(lambda: not is_running(child), "the child ends with its parent", timeout=2.0)


@linux_only
def test_a_supervised_program_is_gone_after_kill_9_of_the_supervisor() -> None:
    with victim("supervise", "60") as (parent, child):
        parent.kill()

        wait_until(lambda: not is_running(child), "the program ends with its supervisor", timeout=2.0)


@linux_only
def test_only_the_main_thread_may_spawn() -> None:
    """The kernel ties a child to the thread, so a short-lived thread would take its child along."""
    errors: list[str] = []

    def start_one() -> None:
        try:
            spawn(["true"])
        except RuntimeError as error:
            errors.append(str(error))

    thread = threading.Thread(target=start_one)
    thread.start()
    thread.join()

    assert "main thread" in errors[0]


def test_other_threads_do_not_matter_to_the_main_thread() -> None:
    done = threading.Event()
    thread = threading.Thread(target=done.wait)
    thread.start()
    try:
        assert ending.end(spawn(["sleep", "60"]), grace_seconds=5.0) == -signal.SIGTERM
    finally:
        done.set()
        thread.join()


def test_a_child_leads_its_own_session() -> None:
    child = spawn(["sleep", "60"])
    try:
        assert os.getsid(child.pid) == child.pid
    finally:
        ending.kill(child)


def test_both_streams_are_appended_to_a_private_log(tmp_path: Path) -> None:
    log = tmp_path / "child.log"

    for word in ("one", "two"):
        spawn(["sh", "-c", f"echo {word}; echo {word} more >&2"], output=log).wait()

    assert log.read_text().split("\n") == ["one", "one more", "two", "two more", ""]
    assert log.stat().st_mode & 0o777 == 0o600


def test_both_streams_come_through_one_pipe_with_our_environment_and_more() -> None:
    child = spawn(["sh", "-c", "echo $HOME $EXTRA >&2"], env={"EXTRA": "more"}, output=Output.PIPE)

    out, _ = child.communicate()

    assert out.decode() == f"{os.environ['HOME']} more\n"


def test_a_program_that_does_not_exist_is_an_os_error() -> None:
    with pytest.raises(FileNotFoundError):
        spawn(["no-such-program-anywhere"])
