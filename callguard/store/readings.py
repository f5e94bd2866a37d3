"""What the metrics and `callguard status` read."""

from collections.abc import Mapping
from typing import Any

from redis import Redis

from callguard.domain.accounts import Snapshot
from callguard.domain.policy import Policy
from callguard.ports import AccountReading
from callguard.store.call_tracker import RedisCallTracker
from callguard.store.connection import translated_errors
from callguard.store.keys import AccountKeys
from callguard.store.live_calls import RedisHoldBoard

RATE_SECONDS = 10
"""Rates are means over so many whole seconds, the present one left out."""

SWEEP_SECONDS = 4
"""The rate of a sweep is a mean over so many seconds, the present one among them."""

LEAST_SECONDS = 0.5


class RedisReadings:
    """Fulfils `Readings`."""

    def __init__(self, connection: Redis, tracker: RedisCallTracker) -> None:
        """Read through `connection` and `tracker`."""
        self._redis = connection
        self._tracker = tracker
        self._holds = RedisHoldBoard(connection)

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
            cancelled_rate=self._cancelled_rate(snapshot, account_sid),
            hold_queues=self._holds.shown(account_sid) if policy.hold_queues else {},
        )

    def _cancelled_rate(self, snapshot: Snapshot, account_sid: str) -> float:
        """A sweep may last seconds only, so this looks back a few, and no further than the trip."""
        if not snapshot.state.has_open_incident:
            return 0.0
        window = SWEEP_SECONDS - 1 + snapshot.now_ms % 1000 / 1000
        seconds = min(window, (snapshot.now_ms - snapshot.tripped_ms) / 1000)
        counts = self._tracker.counts(account_sid, "c", SWEEP_SECONDS, snapshot.now_ms)
        return sum(counts) / max(LEAST_SECONDS, seconds)

    def _totals(self, account_sid: str) -> Mapping[str, float]:
        with translated_errors():
            held: Any = self._redis.hgetall(AccountKeys(account_sid).totals)
        return {name: float(count) for name, count in held.items()}

    def _rate(self, account_sid: str, series: str, now_ms: int) -> float:
        return sum(self._tracker.counts(account_sid, series, RATE_SECONDS, now_ms - 1000)) / RATE_SECONDS
