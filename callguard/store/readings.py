"""What the metrics and `callguard status` read."""

from collections.abc import Mapping

from redis import Redis

from callguard.domain.accounts import Snapshot
from callguard.domain.policy import Policy
from callguard.ports import AccountReading, Outage
from callguard.store.call_tracker import RedisCallTracker
from callguard.store.connection import translated_errors
from callguard.store.keys import AccountKeys
from callguard.store.live_calls import RedisHoldBoard
from callguard.store.outages import outages_from

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
        totals, outages = self._totals(account_sid)
        return AccountReading(
            snapshot,
            snapshot.reported_state(policy),
            totals,
            queued_rate=self._rate(account_sid, "q", now_ms),
            initiated_rate=self._rate(account_sid, "i", now_ms),
            cancelled_rate=self.cancelled_rate(account_sid, snapshot),
            hold_queues=self._holds.shown(account_sid) if policy.hold_queues else {},
            outages=outages,
        )

    def cancelled_rate(self, account_sid: str, snapshot: Snapshot) -> float:
        """Return how many calls a second are being cancelled.

        A sweep may last seconds only, so this looks back a few, and no further than the trip.
        """
        if not snapshot.state.has_open_incident:
            return 0.0
        window = SWEEP_SECONDS - 1 + snapshot.now_ms % 1000 / 1000
        seconds = min(window, (snapshot.now_ms - snapshot.tripped_ms) / 1000)
        counts = self._tracker.counts(account_sid, "c", SWEEP_SECONDS, snapshot.now_ms)
        return sum(counts) / max(LEAST_SECONDS, seconds)

    def _totals(self, account_sid: str) -> tuple[Mapping[str, float], Mapping[Outage, int]]:
        keys = AccountKeys(account_sid)
        with translated_errors(), self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(keys.totals)
            pipe.hgetall(keys.outages)
            totals, outages = pipe.execute()
        return {name: float(count) for name, count in totals.items()}, outages_from(outages)

    def _rate(self, account_sid: str, series: str, now_ms: int) -> float:
        return sum(self._tracker.counts(account_sid, series, RATE_SECONDS, now_ms - 1000)) / RATE_SECONDS
