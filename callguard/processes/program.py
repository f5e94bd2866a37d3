"""A program under supervision: how it is started, how soon it is restarted, and the last lines of its log."""

import signal
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Program:
    """A child program that shall keep running.

    Attributes:
        name: what the log calls it; unique within one supervisor.
        argv: the program and its arguments.
        env: laid over our own environment. Not shown in `repr`: it may carry secrets.
        log_path: where its stdout and stderr are appended; None: they go where ours go.
        grace_seconds: how long it may take to end after the first SIGTERM, before SIGKILL. A program that is
            a supervisor itself needs more than its own children's.
        second_term_after: seconds from the first to a second SIGTERM, which makes an RQ worker drop its job
            (it ignores one that comes within a second). None: there is no second.
        essential: without it the rest is of no use: if it keeps ending right after its start and has never
            run for longer, the supervisor gives up.
        reload_signal: what makes it read its settings anew; None: it is ended and started again for that.
        death_signal: what the kernel sends it when we are killed (Linux only).
    """

    name: str
    argv: tuple[str, ...]
    env: Mapping[str, str] = field(default_factory=dict, repr=False)
    log_path: Path | None = None
    grace_seconds: float = 10.0
    second_term_after: float | None = None
    essential: bool = False
    death_signal: signal.Signals = signal.SIGTERM
    reload_signal: signal.Signals | None = None


_READ_BYTES = 8192


def last_lines(log: Path | None, count: int = 10) -> str:
    """Return the last lines of a log, or a remark that there are none. Never fails: errors quote it."""
    if log is None:
        return "(it has no log file)"
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - _READ_BYTES))
            lines = file.read().decode(errors="replace").splitlines()
    except OSError as error:
        return f"(its log cannot be read: {error})"
    return "\n".join(lines[-count:]) or f"({log} is empty)"


INITIAL_SECONDS = 0.2
MAX_SECONDS = 5.0
GOOD_RUN_SECONDS = 10.0


@dataclass
class Backoff:
    """Delays that double from exit to exit; a long enough run resets them."""

    _next: float = field(default=INITIAL_SECONDS, init=False)

    def after(self, run_seconds: float) -> float:
        """Return the delay after a run that lasted `run_seconds`, and remember that there was one."""
        if run_seconds >= GOOD_RUN_SECONDS:
            self._next = INITIAL_SECONDS
        delay = self._next
        self._next = min(2 * delay, MAX_SECONDS)
        return delay
