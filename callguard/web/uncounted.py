"""What takes news of calls that somebody reports, and counts what became of requests, also while Redis is away."""

from collections import Counter
from collections.abc import Callable, Sequence
from enum import Enum
from threading import Lock
from typing import Protocol

from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent
from callguard.domain.results import ReportResult, ReportSource
from callguard.errors import StoreUnavailable

MAX_AT_ONCE = 50
"""The most counts written along with one callback: each takes a round trip to Redis."""


class UncountedResults:
    """Counts results; what could not be counted, this process remembers until Redis answers again.

    A result whose write timed out may have been counted all the same, so a total may be a little too high.
    """

    def __init__(self, count: Callable[[str, str], None]) -> None:
        """`count(account_sid, result)` may raise `StoreUnavailable`."""
        self._count = count
        self._lock = Lock()
        self._waiting: Counter[tuple[str, Enum]] = Counter()

    def count(self, account_sid: str, result: Enum) -> None:
        """Count one result, now or later; never raises `StoreUnavailable`."""
        self.remember(account_sid, result)
        self.count_some()

    def remember(self, account_sid: str, result: Enum) -> None:
        """Keep one result for later."""
        with self._lock:
            self._waiting[account_sid, result] += 1

    def count_some(self) -> None:
        """Count up to `MAX_AT_ONCE` of those kept; never raises `StoreUnavailable`."""
        for _ in range(MAX_AT_ONCE if self._waiting else 0):
            taken = self._take()
            if taken is None:
                return
            account_sid, result = taken
            try:
                self._count(account_sid, result.value)
            except StoreUnavailable:
                self.remember(*taken)
                return

    def _take(self) -> tuple[str, Enum] | None:
        with self._lock:
            key = next(iter(self._waiting), None)
            if key is not None:
                self._waiting[key] -= 1
                if not self._waiting[key]:
                    del self._waiting[key]
            return key


class ReportTaker(Protocol):
    """Where reports of created calls go; `detect.reported_calls` says how. Both may raise `StoreUnavailable`."""

    def take(self, account: Account, events: Sequence[CallEvent], reporter: ReportSource) -> int:
        """Count events, oldest first, and act on them; return how many were news."""

    def refuse(self, account_sid: str, reporter: ReportSource, result: ReportResult) -> None:
        """Count a report that was not taken."""
