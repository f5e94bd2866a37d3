"""What a SIGHUP means: a request, or a terminal that is gone."""

import fcntl
import os
import pty
import signal
import subprocess
import sys
import termios
from pathlib import Path

import pytest

from callguard.processes.stop_signals import StopSignals
from tests.waiting import wait_until

PROGRAM = """
import sys, time
from callguard.processes.stop_signals import StopSignals
with StopSignals(hangup_reloads=True) as signals:
    told = open(sys.argv[1], "w", buffering=1)
    print("ready", file=told)
    while signals.received is None:
        if signals.take_reload():
            print("reload", file=told)
        time.sleep(0.01)
    print(signals.received.name, file=told)
"""


def test_a_hangup_stops_what_has_nothing_to_reload() -> None:
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGHUP)

        assert signals.received is signal.SIGHUP
        assert not signals.take_reload()


def test_a_hangup_asks_once_for_a_reload() -> None:
    with StopSignals(hangup_reloads=True) as signals:
        os.kill(os.getpid(), signal.SIGHUP)

        assert signals.received is None
        assert signals.take_reload()
        assert not signals.take_reload()


def test_one_that_is_ignored_stays_ignored() -> None:
    """As `nohup` wants it."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with StopSignals(hangup_reloads=True) as signals:
            os.kill(os.getpid(), signal.SIGHUP)

            assert not signals.take_reload()
    finally:
        signal.signal(signal.SIGHUP, before)


@pytest.mark.full
def test_a_terminal_that_is_closed_ends_what_runs_in_it(tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    told = tmp_path / "told"
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(told)],
        stdin=theirs,
        start_new_session=True,
        preexec_fn=lambda: fcntl.ioctl(theirs, termios.TIOCSCTTY, 0),  # noqa: PLW1509  (nothing else runs here)
    )
    os.close(theirs)
    wait_until(lambda: told.exists() and "ready" in told.read_text(), "it runs", timeout=30)

    os.kill(process.pid, signal.SIGHUP)
    wait_until(lambda: "reload" in told.read_text(), "with its terminal there, it reloads")
    os.close(ours)

    assert process.wait(10) == 0
    assert told.read_text().split() == ["ready", "reload", "SIGHUP"]
