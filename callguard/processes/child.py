"""One program under supervision: its process, and the count of its failures."""

import logging
import signal
import subprocess

from callguard.errors import EssentialProgramError
from callguard.processes import ending
from callguard.processes.program import Backoff, Program, last_lines
from callguard.processes.spawn import Output, spawn

QUICK_EXIT_SECONDS = 2.0
QUICK_EXITS_ALLOWED = 5

logger = logging.getLogger(__name__)


class Child:
    """Starts, restarts and ends one program. Every time is the supervisor's, handed in as `now`."""

    def __init__(self, program: Program) -> None:
        self.program = program
        self._process: subprocess.Popen[bytes] | None = None
        self._started_at = 0.0
        self._restart_at: float | None = None
        self._backoff = Backoff()
        self._quick_exits = 0
        self._has_run_well = False
        self._terms_sent = 0
        self._reloads_since: float | None = None

    @property
    def pid(self) -> int | None:
        """The process now running, None between an exit and the restart."""
        return self._process.pid if self._process is not None else None

    def start(self, now: float) -> None:
        """Start the program. One that cannot be started is treated like one that ended at once."""
        self._restart_at = None
        self._started_at = now
        self._terms_sent = 0
        self._reloads_since = None
        program = self.program
        try:
            self._process = spawn(
                program.argv,
                env=program.env,
                output=program.log_path or Output.INHERIT,
                death_signal=program.death_signal,
            )
        except OSError as error:
            self._note_exit(f"could not be started: {error}", now)

    def poll(self, now: float) -> None:
        """Notice that the program has ended, and start it again once its delay is over.

        Raises:
            EssentialProgramError: it is essential and has never come up.
        """
        if self._reloads_since is not None:
            if self.press(now - self._reloads_since):
                self.start(now)
        elif self._process is not None and (code := ending.reap(self._process)) is not None:
            self._process = None
            self._note_exit(describe_exit(code), now)
        elif self._restart_at is not None and now >= self._restart_at:
            self.start(now)

    def reload(self, now: float) -> None:
        """Make it read its settings anew: by its signal, or by a restart, which `poll` carries on."""
        if self.program.reload_signal is None:
            self._reloads_since = now
            self._send_term()
        elif self._process is not None:
            ending.send(self._process, self.program.reload_signal)

    def request_end(self) -> None:
        """Plan no restart any more, and send the first SIGTERM."""
        self._restart_at = self._reloads_since = None
        self._send_term()

    def press(self, waited: float) -> bool:
        """Return whether it has ended; if not, send the signals due `waited` seconds after the first SIGTERM."""
        if self._process is None:
            return True
        if (code := ending.reap(self._process)) is not None:
            self._process = None
            logger.info("%s stopped: %s", self.program.name, describe_exit(code))
            return True
        second = self.program.second_term_after
        if waited >= self.program.grace_seconds:
            logger.warning("%s did not stop in %.1f s: killing it", self.program.name, waited)
            self.kill()
            return True
        if second is not None and waited >= second and self._terms_sent == 1:
            self._send_term()
        return False

    def kill(self) -> None:
        """End it and its session at once."""
        self._restart_at = None
        if self._process is not None:
            ending.kill(self._process)
            self._process = None

    def _send_term(self) -> None:
        if self._process is not None:
            ending.send(self._process, signal.SIGTERM)
            self._terms_sent += 1

    def _note_exit(self, how: str, now: float) -> None:
        ran = now - self._started_at
        if ran > QUICK_EXIT_SECONDS:
            self._has_run_well = True
        self._quick_exits += 1
        program = self.program
        if program.essential and not self._has_run_well and self._quick_exits >= QUICK_EXITS_ALLOWED:
            raise EssentialProgramError(
                f"{program.name} ended {self._quick_exits} times right after its start; "
                f"the last time it {how}. Its last lines:\n{last_lines(program.log_path)}"
            )
        delay = self._backoff.after(ran)
        self._restart_at = now + delay
        logger.warning("%s %s, after %.1f s; restart in %.1f s", program.name, how, ran, delay)


def describe_exit(code: int) -> str:
    """Return `exited with 3` or `was ended by SIGKILL`."""
    if code >= 0:
        return f"exited with {code}"
    try:
        return f"was ended by {signal.Signals(-code).name}"
    except ValueError:  # A real-time signal has no name.
        return f"was ended by signal {-code}"
