"""The client's one logger, and warnings that do not flood it. Never a phone number, never a key."""

import logging
import time

log = logging.getLogger("callguard.client")
_QUIET_SECONDS = 60.0


class Seldom:
    """Allows a warning at most once a minute."""

    def __init__(self) -> None:
        self._next = -_QUIET_SECONDS

    def due(self) -> bool:
        """Return whether to warn now; if so, the next minute is quiet."""
        # Without a lock, which a fork could leave locked: the worst is a warning that comes twice.
        now = time.monotonic()
        if now < self._next:
            return False
        self._next = now + _QUIET_SECONDS
        return True
