"""One receiver of notices, with a bound on how long it is waited for."""

import logging
import threading
import time
from collections.abc import Callable

from callguard.domain.notices import Notice

_log = logging.getLogger(__name__)

PATIENCE_SECONDS = 5.0
MAX_REMEMBERED = 1_000


class Receiver:
    """Hands notices to one receiver, in a thread that may be abandoned.

    A library's timeouts do not bound everything, such as name look-ups or slow bodies. So nobody waits longer than
    `PATIENCE_SECONDS`. A notice that the receiver takes after that is remembered and not sent again.
    """

    def __init__(self, name: str, send: Callable[[Notice], str] | None, key: str = "", wrong: str = "") -> None:
        """Keep the parts. `send` returns why the notice was not taken, or "". `name` may be logged, `key` stored.

        Without `send` nothing can be sent, and `wrong` says why.
        """
        self.name = name
        self.key = key
        self.wrong = wrong
        self._send = send
        self._thread: threading.Thread | None = None
        self._at: Notice | None = None
        self._taken: dict[Notice, None] = {}
        self._problem = ""

    def offer(self, notice: Notice) -> None:
        """Begin to hand the notice over, unless the receiver has it, or is busy with an earlier one."""
        if notice in self._taken or self._is_busy() or self._send is None:
            return
        self._at = notice
        # A daemon: a receiver that hangs must not hold up the end of the process.
        self._thread = threading.Thread(
            target=self._hand_over, args=(self._send, notice), daemon=True, name="notify"
        )
        self._thread.start()

    def has(self, notice: Notice, deadline: float) -> bool:
        """Wait until `deadline` (monotonic) at most; return whether the receiver has the notice.

        A receiver that is busy with an earlier notice is not waited for, so that it does not delay the others.
        """
        if self._thread is not None and self._at == notice:
            self._thread.join(max(0.0, deadline - time.monotonic()))
        if notice in self._taken:
            return True
        problem = self.wrong or (f"no answer within {PATIENCE_SECONDS:g} s" if self._is_busy() else self._problem)
        _log.warning("%s did not take a notice (%s): %s", self.name, notice.kind.value, problem)
        return False

    def forget(self, notice: Notice) -> None:
        """Forget a notice that will not be offered again."""
        self._taken.pop(notice, None)

    def _is_busy(self) -> bool:
        return self._thread is not None and self._thread.is_alive()

    def _hand_over(self, send: Callable[[Notice], str], notice: Notice) -> None:
        try:
            self._problem = send(notice)
        except Exception as error:
            # Whatever a library raises; its text may hold the URL, which is secret.
            self._problem = type(error).__name__
        if not self._problem:
            self._taken[notice] = None
            for surplus in list(self._taken)[:-MAX_REMEMBERED]:
                self.forget(surplus)
