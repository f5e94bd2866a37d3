"""Warnings that anybody on the Internet could cause, a thousand times a second."""

import logging
from threading import Lock

from callguard.clock import Clock

_log = logging.getLogger(__name__)

APART_MS = 60_000


class SpacedWarning:
    """A warning that is logged when it is first due, and then once a minute with how often it was."""

    def __init__(self, text: str, clock: Clock) -> None:
        """`text` is a logging format with a `%s` for the latest detail."""
        self._text = text
        self._clock = clock
        self._lock = Lock()
        self._due = 0
        self._logged_ms: int | None = None

    def due(self, detail: str) -> bool:
        """Count one more, and log if it is time; return whether it was.

        `detail` may be an attacker's text: it is escaped. It is the end of an AccountSid, and empty where a
        request had none.
        """
        now_ms = self._clock.now_ms()
        with self._lock:
            self._due += 1
            if self._logged_ms is not None and 0 <= now_ms - self._logged_ms < APART_MS:
                return False
            is_first, count = self._logged_ms is None, self._due
            self._due, self._logged_ms = 0, now_ms
        shown = ascii(detail) if detail else "nothing (a request without an AccountSid)"
        if is_first:
            _log.warning(self._text, shown)
        else:
            _log.warning(f"{self._text} (%d since the last such warning)", shown, count)
        return True
