"""Keeping a set of child programs running, and ending all of them."""

import logging
import time
from collections.abc import Callable, Iterable
from contextlib import nullcontext
from types import TracebackType

from callguard.errors import EssentialProgramError
from callguard.processes.child import Child
from callguard.processes.program import Program
from callguard.processes.stop_signals import StopSignals

_LOOK_SECONDS = 0.1
_STOP_LOOK_SECONDS = 0.02

logger = logging.getLogger(__name__)


class Supervisor:
    """Starts programs in the order given, starts again what ends, and stops all of them.

    A restart comes 0.2 s after the exit; the delay doubles to 5 s, and 10 s of good run reset it. Programs
    that end as planned are started again too: this is for those that shall never end.

    As a context manager it starts on entry and stops on exit. Main thread only (see `spawn`).
    """

    def __init__(
        self,
        programs: Iterable[Program],
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        children = [Child(program) for program in programs]
        self._children = {child.program.name: child for child in children}
        if len(self._children) != len(children):
            raise ValueError("two programs have the same name")
        self._monotonic = monotonic
        self._sleep = sleep

    def __enter__(self) -> "Supervisor":
        try:
            self.start()
        except BaseException:
            self.stop()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def pid(self, name: str) -> int | None:
        """Return the process that is now this program's, None while it waits for its restart."""
        return self._children[name].pid

    def start(self) -> None:
        """Start every program. Whether it stays up shows in `poll`."""
        for child in self._children.values():
            child.start(self._monotonic())

    def poll(self) -> None:
        """Start again what has ended, if its delay is over; never waits. Call it several times a second.

        Raises:
            EssentialProgramError: an essential program never came up. The rest runs on until `stop`.
        """
        for child in self._children.values():
            child.poll(self._monotonic())

    def reload(self) -> None:
        """Make every program read its settings anew, in reverse order of start; `poll` carries it on."""
        for child in reversed(self._children.values()):
            child.reload(self._monotonic())

    def stop(self) -> None:
        """End everything: SIGTERM in reverse order of start, then wait for all at once, then SIGKILL.

        Returns when nothing is left, also of what the programs have started in their sessions. Harmless when
        repeated. If it is interrupted, all are killed at once.
        """
        waiting = list(reversed(self._children.values()))
        try:
            for child in waiting:
                child.request_end()
            began = self._monotonic()
            while waiting := [child for child in waiting if not child.press(self._monotonic() - began)]:
                self._sleep(_STOP_LOOK_SECONDS)
        finally:
            for child in waiting:
                child.kill()

    def run_until_signalled(
        self,
        signals: StopSignals | None = None,
        alongside: Callable[[], object] | None = None,
        may_reload: Callable[[], bool] = lambda: True,
    ) -> int:
        """Start, keep running, and stop everything on a stop signal; more signals change nothing.

        Args:
            signals: entered by the caller, when more than this must end in good order; else we enter our own.
            alongside: called about ten times a second, for what else must be looked after. It must not wait.
            may_reload: asked before the programs are reloaded, if that is what `signals` makes of SIGHUP.

        Returns:
            The process' exit code: 0 after a signal, 1 when an essential program never came up (logged).
        """
        with nullcontext(signals) if signals is not None else StopSignals() as entered:
            try:
                self.start()
                while entered.received is None:
                    if entered.take_reload() and may_reload():
                        logger.info("SIGHUP: reloading")
                        self.reload()
                    self.poll()
                    if alongside is not None:
                        alongside()
                    self._sleep(_LOOK_SECONDS)
                logger.info("%s: stopping", entered.received.name)
            except EssentialProgramError as error:
                logger.error("Stopping everything: %s", error)
                return 1
            finally:
                self.stop()
        return 0
