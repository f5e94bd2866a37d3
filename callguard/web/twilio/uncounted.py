"""Results that Redis could not be told of."""

from collections import Counter
from collections.abc import Callable
from threading import Lock

from callguard.errors import StoreUnavailable

MAX_AT_ONCE = 50
"""So many are written behind one callback: each takes a round trip to Redis."""


class UncountedResults:
    """Remembers what could not be counted, in this process, and counts it once Redis answers again.

    A result whose write timed out may have been counted all the same, so a total may be a little too high.
    """

    def __init__(self, count: Callable[[str, str], None]) -> None:
        """`count(account_sid, result)` may raise `StoreUnavailable`."""
        self._count = count
        self._lock = Lock()
        self._waiting: Counter[tuple[str, str]] = Counter()

    def remember(self, account_sid: str, result: str) -> None:
        """Keep one result for later."""
        with self._lock:
            self._waiting[account_sid, result] += 1

    def count_some(self) -> None:
        """Count up to `MAX_AT_ONCE` of those kept; never raises `StoreUnavailable`."""
        for _ in range(MAX_AT_ONCE if self._waiting else 0):
            taken = self._take()
            if taken is None:
                return
            try:
                self._count(*taken)
            except StoreUnavailable:
                self.remember(*taken)
                return

    def _take(self) -> tuple[str, str] | None:
        with self._lock:
            key = next(iter(self._waiting), None)
            if key is not None:
                self._waiting[key] -= 1
                if not self._waiting[key]:
                    del self._waiting[key]
            return key
