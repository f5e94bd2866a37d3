"""What the metrics and `callguard status` read."""

from collections.abc import Mapping
from typing import Any

from redis import Redis

from callguard.domain.policy import Policy
from callguard.ports import AccountReading
from callguard.store.call_tracker import RedisCallTracker
from callguard.store.connection import translated_errors
from callguard.store.keys import AccountKeys

RATE_SECONDS = 10
"""Rates are means over so many whole seconds, the present one left out."""


class RedisReadings:
    """Fulfils `Readings`."""

    def __init__(self, connection: Redis, tracker: RedisCallTracker) -> None:
        """Read through `connection` and `tracker`."""
        self._redis = connection
        self._tracker = tracker

    def read(self, account_sid: str, policy: Policy, now_ms: int) -> AccountReading:
        """Read one account.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        snapshot = self._tracker.snapshot(account_sid, now_ms)
        return AccountReading(
            snapshot,
            snapshot.reported_state(policy),
            self._totals(account_sid),
            queued_rate=self._rate(account_sid, "q", now_ms),
            initiated_rate=self._rate(account_sid, "i", now_ms),
        )

    def _totals(self, account_sid: str) -> Mapping[str, float]:
        with translated_errors():
            held: Any = self._redis.hgetall(AccountKeys(account_sid).totals)
        return {name: float(count) for name, count in held.items()}

    def _rate(self, account_sid: str, series: str, now_ms: int) -> float:
        return sum(self._tracker.counts(account_sid, series, RATE_SECONDS, now_ms - 1000)) / RATE_SECONDS
