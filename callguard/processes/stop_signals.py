"""Ctrl-C and friends, noted instead of raised."""

import os
import signal
from types import FrameType, TracebackType


class StopSignals:
    """While entered, SIGINT, SIGTERM and SIGHUP are only noted: nothing is interrupted, no traceback appears.

    Enter it around everything that must be stopped in good order, also around what starts first and stops
    last, such as the embedded Valkey. Main thread only. A signal that our parent has us ignore (`nohup`)
    stays ignored.
    """

    def __init__(self, *, hangup_reloads: bool = False) -> None:
        """`hangup_reloads`: a SIGHUP asks for a reload, unless it came because our terminal is gone."""
        self.received: signal.Signals | None = None
        self._hangup_reloads = hangup_reloads
        self._had_terminal = False
        self._reload_wanted = False
        self._previous: list[tuple[signal.Signals, object]] = []

    def take_reload(self) -> bool:
        """Return whether a reload was asked for since the last call."""
        wanted, self._reload_wanted = self._reload_wanted, False
        return wanted

    def __enter__(self) -> "StopSignals":
        self._had_terminal = _has_terminal()
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            if signal.getsignal(number) is not signal.SIG_IGN:
                self._previous.append((number, signal.signal(number, self._note)))
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        while self._previous:
            number, handler = self._previous.pop()
            # None stands for a handler that was not set from Python: it cannot be put back.
            signal.signal(number, signal.SIG_DFL if handler is None else handler)  # type: ignore[arg-type]

    def _note(self, number: int, _frame: FrameType | None) -> None:
        # No logging here: a handler runs in the middle of anything, also of a logging call.
        if number == signal.SIGHUP and self._hangup_reloads and _has_terminal() is self._had_terminal:
            self._reload_wanted = True
        elif self.received is None:
            self.received = signal.Signals(number)


def _has_terminal() -> bool:
    """Whether we have a controlling terminal, which has not hung up."""
    try:
        os.close(os.open("/dev/tty", os.O_RDWR | os.O_NOCTTY | os.O_CLOEXEC))
    except OSError:
        return False
    return True
