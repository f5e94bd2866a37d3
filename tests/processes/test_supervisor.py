import logging
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from callguard.errors import EssentialProgramError
from callguard.processes import ending
from callguard.processes.program import Program
from callguard.processes.stop_signals import StopSignals
from callguard.processes.supervisor import Supervisor
from tests.processes.victims import is_running
from tests.waiting import wait_until

SLEEPER = Program("sleeper", ("sleep", "60"))


class HandTime:
    """A clock that moves when told."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        """Pass the time by hand, and let the real programs have a little of it."""
        self.now += seconds
        time.sleep(0.01)


@pytest.fixture(autouse=True)
def _log_everything(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)


def _pid(supervisor: Supervisor, name: str) -> int:
    pid = supervisor.pid(name)
    assert pid is not None
    return pid


def _poll_until_ended(supervisor: Supervisor, name: str) -> None:
    def ended() -> bool:
        supervisor.poll()
        return supervisor.pid(name) is None

    wait_until(ended, f"the supervisor notices that {name} has ended")


def test_a_program_that_ends_is_started_again_after_its_delay(caplog: pytest.LogCaptureFixture) -> None:
    clock = HandTime()
    with Supervisor([SLEEPER], monotonic=clock) as supervisor:
        first = _pid(supervisor, "sleeper")
        os.kill(first, signal.SIGKILL)
        _poll_until_ended(supervisor, "sleeper")

        clock.now += 0.19
        supervisor.poll()
        assert supervisor.pid("sleeper") is None
        clock.now += 0.02
        supervisor.poll()

        assert is_running(_pid(supervisor, "sleeper"))
        assert _pid(supervisor, "sleeper") != first
    assert "sleeper was ended by SIGKILL, after 0.0 s; restart in 0.2 s" in caplog.messages


def test_delays_grow_until_a_run_was_good(caplog: pytest.LogCaptureFixture) -> None:
    clock = HandTime()
    with Supervisor([SLEEPER], monotonic=clock) as supervisor:
        for run_seconds in (1.0, 1.0, 1.0, 31.0):
            clock.now += run_seconds
            os.kill(_pid(supervisor, "sleeper"), signal.SIGTERM)
            _poll_until_ended(supervisor, "sleeper")
            clock.now += 10.0
            supervisor.poll()

    delays = [message.rpartition("restart in ")[2] for message in caplog.messages if "restart" in message]
    assert delays == ["0.2 s", "0.4 s", "0.8 s", "0.2 s"]


def test_a_program_that_cannot_be_started_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    clock = HandTime()
    with Supervisor([Program("absent", ("no-such-program-anywhere",))], monotonic=clock) as supervisor:
        clock.now += 1.0
        supervisor.poll()

    assert [message.startswith("absent could not be started") for message in caplog.messages] == [True, True]


def test_an_essential_program_that_never_comes_up_stops_everything(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    clock = HandTime()
    broken = Program(
        "web",
        ("sh", "-c", "echo the port is taken; exit 3"),
        log_path=tmp_path / "web.log",
        essential=True,
    )

    def sleep(seconds: float) -> None:
        """Let the clock stand while the program runs, so that each of its exits is a quick one."""
        if supervisor.pid("web") is None:
            clock.now += seconds
        time.sleep(0.001)

    supervisor = Supervisor([SLEEPER, broken], monotonic=clock, sleep=sleep)

    assert supervisor.run_until_signalled() == 1

    assert supervisor.pid("sleeper") is None
    last_words = next(message for message in caplog.messages if "Stopping everything" in message)
    assert "web ended 5 times right after its start; the last time it exited with 3" in last_words
    assert "the port is taken" in last_words


def test_an_essential_program_that_once_ran_is_restarted_for_ever() -> None:
    clock = HandTime()
    with Supervisor([Program("web", SLEEPER.argv, essential=True)], monotonic=clock) as supervisor:
        for run_seconds in (3.0, *[0.0] * 8):
            clock.now += run_seconds
            os.kill(_pid(supervisor, "web"), signal.SIGKILL)
            _poll_until_ended(supervisor, "web")
            clock.now += 10.0
            supervisor.poll()

        assert is_running(_pid(supervisor, "web"))


def test_without_signals_the_failure_of_an_essential_program_is_raised() -> None:
    clock = HandTime()
    absent = Program("absent", ("no-such-program-anywhere",), essential=True)

    def poll_for_long() -> None:
        for _ in range(100):
            clock.now += 0.1
            supervisor.poll()

    supervisor = Supervisor([absent], monotonic=clock)
    supervisor.start()

    with pytest.raises(EssentialProgramError, match="absent ended 5 times"):
        poll_for_long()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT], ids=lambda number: number.name)
def test_a_signal_stops_everything_in_good_order(number: signal.Signals) -> None:
    before = signal.getsignal(number)
    pids: list[int] = []

    def signal_once_running() -> None:
        pids.append(_pid(supervisor, "sleeper"))
        os.kill(os.getpid(), number)

    supervisor = Supervisor([SLEEPER, Program("other", SLEEPER.argv)])

    assert supervisor.run_until_signalled(alongside=signal_once_running) == 0

    assert not is_running(pids[0])
    assert signal.getsignal(number) is before


def test_ctrl_c_while_stopping_changes_nothing(tmp_path: Path) -> None:
    """A deaf child takes all of its grace, and every Ctrl-C meanwhile is only noted."""
    ready = tmp_path / "ready"
    deaf = Program("deaf", _deaf_to_sigterm(ready), grace_seconds=0.3)

    def interrupt_and_sleep(seconds: float) -> None:
        if ready.exists():
            os.kill(os.getpid(), signal.SIGINT)
        time.sleep(seconds / 10)

    assert Supervisor([deaf], sleep=interrupt_and_sleep).run_until_signalled() == 0


def test_the_callers_stop_signals_serve_too() -> None:
    with StopSignals() as signals:
        os.kill(os.getpid(), signal.SIGTERM)

        assert Supervisor([SLEEPER]).run_until_signalled(signals) == 0
        os.kill(os.getpid(), signal.SIGINT)

    assert signals.received is signal.SIGTERM


def test_programs_are_asked_to_stop_in_reverse_order(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[int] = []

    def note_and_send(process: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
        asked.append(process.pid)
        send(process, number)

    send = ending.send
    supervisor = Supervisor([Program("first", SLEEPER.argv), Program("second", SLEEPER.argv)])
    supervisor.start()
    started = [_pid(supervisor, "first"), _pid(supervisor, "second")]
    monkeypatch.setattr(ending, "send", note_and_send)

    supervisor.stop()

    assert asked == started[::-1]


def test_an_rq_worker_gets_a_second_sigterm(tmp_path: Path) -> None:
    """It drops its job on the second."""
    log = tmp_path / "log"
    program = Program("rq", _notes_two_sigterms(), log_path=log, second_term_after=0.1)

    with Supervisor([program]):
        wait_until(lambda: log.exists() and "ready" in log.read_text(), "it is ready")

    assert log.read_text().split() == ["ready", "term", "term"]


def test_a_deaf_program_is_killed_after_its_own_grace(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    ready = tmp_path / "ready"

    with Supervisor([Program("deaf", _deaf_to_sigterm(ready), grace_seconds=0.1), SLEEPER]) as supervisor:
        wait_until(ready.exists, "it is deaf")
        pids = [_pid(supervisor, "deaf"), _pid(supervisor, "sleeper")]

    assert not any(map(is_running, pids))
    assert any(message.startswith("deaf did not stop in 0.1 s") for message in caplog.messages)
    assert "sleeper stopped: was ended by SIGTERM" in caplog.messages


def test_nothing_is_restarted_after_the_stop() -> None:
    clock = HandTime()
    supervisor = Supervisor([SLEEPER], monotonic=clock)
    supervisor.start()
    supervisor.stop()
    supervisor.stop()

    clock.now += 60.0
    supervisor.poll()

    assert supervisor.pid("sleeper") is None


def test_an_interrupted_stop_still_leaves_nothing_behind(tmp_path: Path) -> None:
    ready = tmp_path / "ready"

    def interrupted(_seconds: float) -> None:
        raise KeyboardInterrupt

    supervisor = Supervisor([Program("deaf", _deaf_to_sigterm(ready))], sleep=interrupted)
    supervisor.start()
    wait_until(ready.exists, "it is deaf")
    pid = _pid(supervisor, "deaf")

    with pytest.raises(KeyboardInterrupt):
        supervisor.stop()

    assert not is_running(pid)


def test_names_are_unique() -> None:
    with pytest.raises(ValueError, match="same name"):
        Supervisor([SLEEPER, SLEEPER])


def test_a_programs_repr_hides_its_environment() -> None:
    assert "s3cret" not in repr(Program("web", ("true",), env={"TWILIO_AUTH_TOKEN": "s3cret"}))


def _deaf_to_sigterm(ready: Path) -> tuple[str, ...]:
    script = "import signal, sys; signal.signal(15, signal.SIG_IGN); open(sys.argv[1], 'w').close()"
    return (sys.executable, "-c", f"{script}; [signal.pause() for _ in iter(int, 1)]", str(ready))


def _notes_two_sigterms() -> tuple[str, ...]:
    """A program that ends after its second SIGTERM."""
    script = (
        "import signal\n"
        "signal.pthread_sigmask(signal.SIG_BLOCK, [15])\n"
        "print('ready', flush=True)\n"
        "for _ in range(2):\n"
        "    signal.sigwait([15])\n"
        "    print('term', flush=True)\n"
    )
    return (sys.executable, "-c", script)


def test_a_reload_restarts_at_once_or_signals_each_program(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """A restart that was asked for is no failure: there is no delay."""
    clock, told = HandTime(), tmp_path / "told"
    listener = Program(
        "listener",
        ("sh", "-c", f"trap 'echo reloaded >> {told}' HUP; echo up > {told}; while :; do sleep 0.01; done"),
        reload_signal=signal.SIGHUP,
    )
    with Supervisor([SLEEPER, listener], monotonic=clock) as supervisor:
        wait_until(told.exists, "it listens")
        before = {name: _pid(supervisor, name) for name in ("sleeper", "listener")}

        supervisor.reload()

        def is_restarted() -> bool:
            supervisor.poll()
            return supervisor.pid("sleeper") not in (None, before["sleeper"])

        wait_until(is_restarted, "the one is started anew")
        wait_until(lambda: "reloaded" in told.read_text(), "the other has heard")
        assert _pid(supervisor, "listener") == before["listener"]
        assert not is_running(before["sleeper"])
    assert not [message for message in caplog.messages if "restart in" in message]


def test_a_program_that_ignores_the_reload_is_killed_after_its_grace(tmp_path: Path) -> None:
    clock, ignoring = HandTime(), tmp_path / "ignoring"
    script = f"trap '' TERM; : > '{ignoring}'; while :; do sleep 0.01; done"
    stubborn = Program("stubborn", ("sh", "-c", script), grace_seconds=8.0)
    with Supervisor([stubborn], monotonic=clock, sleep=clock.sleep) as supervisor:
        wait_until(ignoring.exists, "it ignores SIGTERM")
        before = _pid(supervisor, "stubborn")
        supervisor.reload()
        clock.now += 7.9
        supervisor.poll()
        assert _pid(supervisor, "stubborn") == before

        clock.now += 0.1
        supervisor.poll()

        assert _pid(supervisor, "stubborn") != before
