"""Ctrl-C and friends, noted instead of raised."""

import signal
from types import FrameType, TracebackType


class StopSignals:
    """While entered, SIGINT, SIGTERM and SIGHUP are only noted: nothing is interrupted, no traceback appears.

    Enter it around everything that must be stopped in good order, also around what starts first and stops
    last, such as the embedded Valkey. Main thread only. A signal that our parent has us ignore (`nohup`)
    stays ignored.
    """

    def __init__(self) -> None:
        self.received: signal.Signals | None = None
        self._previous: list[tuple[signal.Signals, object]] = []

    def __enter__(self) -> "StopSignals":
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
        if self.received is None:
            self.received = signal.Signals(number)
