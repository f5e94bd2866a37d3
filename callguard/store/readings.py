"""What the metrics and `callguard status` read."""

from collections.abc import Mapping, Sequence
from typing import Any

from callguard.domain.health import Watched
from callguard.domain.policy import Policy
from callguard.domain.readings import AccountReading
from callguard.domain.snapshot import Snapshot
from callguard.store.call_tracker import RedisCallTracker, series_counts, series_fields, snapshot_reads
from callguard.store.keys import AccountKeys
from callguard.store.live_calls import shown_from
from callguard.store.outages import outages_from
from callguard.store.scripts import Scripts, pairs
from callguard.store.snapshots import FIELDS, snapshot_from

RATE_SECONDS = 10
"""Rates are means over so many whole seconds, the present one left out."""

SWEEP_SECONDS = 4
"""The rate of a sweep is a mean over so many seconds, the present one among them."""

MIN_SECONDS = 0.5

_SNAPSHOT_PARTS = 6
_NOTHING_COUNTED = (0, 0, 0, 0, 0)


class RedisReadings:
    """Fulfils `Readings`."""

    def __init__(self, scripts: Scripts, tracker: RedisCallTracker) -> None:
        """Read through `scripts` and `tracker`."""
        self._scripts = scripts
        self._tracker = tracker

    def read(self, account_sid: str, policy: Policy, now_ms: int) -> AccountReading:
        """Read one account at one moment.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        return self.read_each({account_sid: policy}, now_ms)[account_sid]

    def read_each(self, policies: Mapping[str, Policy], now_ms: int) -> dict[str, AccountReading]:
        """Read each account at one moment, all in a few round trips.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        second = now_ms // 1000
        replies = self._scripts.read_each([_reads(AccountKeys(sid), second) for sid in policies])
        return {
            sid: _reading(reply, policy, now_ms)
            for (sid, policy), reply in zip(policies.items(), replies, strict=True)
        }

    def watched(self, policies: Mapping[str, Policy], now_ms: int) -> list[Watched]:
        """Read the state and the outages of each account. The snapshots lack the queue and people's decisions.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        keys = [AccountKeys(sid) for sid in policies]
        replies = self._scripts.ask_each(
            [ask for of_one in keys for ask in (("HMGET", of_one.state, *FIELDS), ("HGETALL", of_one.outages))]
        )
        return [
            Watched(
                sid,
                snapshot_from(now_ms, fields, *_NOTHING_COUNTED),
                policies[sid],
                [outage.words for outage in outages_from(pairs(outages))],
            )
            for sid, fields, outages in zip(policies, replies[::2], replies[1::2], strict=True)
        ]

    def cancelled_rate(self, account_sid: str, snapshot: Snapshot) -> float:
        """Return how many calls a second are being cancelled.

        A sweep may last only seconds, so this covers the last few, and nothing before the trip.
        """
        if not snapshot.state.has_open_incident:
            return 0.0
        return _swept(self._tracker.counts(account_sid, "c", SWEEP_SECONDS, snapshot.now_ms), snapshot)


def _reads(keys: AccountKeys, second: int) -> list[tuple[str, str]]:
    fields = [*series_fields("q", second - 1, RATE_SECONDS), *series_fields("i", second - 1, RATE_SECONDS)]
    fields += series_fields("c", second, SWEEP_SECONDS)
    return [
        *snapshot_reads(keys),
        (keys.totals, "HGETALL"),
        (keys.outages, "HGETALL"),
        (keys.series, f"HMGET {' '.join(fields)}"),
        (keys.hold, "GET"),
    ]


def _reading(reply: Sequence[Any], policy: Policy, now_ms: int) -> AccountReading:
    snapshot = snapshot_from(now_ms, *reply[:_SNAPSHOT_PARTS])
    totals, outages, series, hold = reply[_SNAPSHOT_PARTS:]
    second = now_ms // 1000
    queued, initiated = series[:RATE_SECONDS], series[RATE_SECONDS : 2 * RATE_SECONDS]
    cancelled = series_counts(series[2 * RATE_SECONDS :], second)
    return AccountReading(
        snapshot,
        snapshot.reported_state(policy),
        {name: float(count) for name, count in pairs(totals).items()},
        queued_rate=sum(series_counts(queued, second - 1)) / RATE_SECONDS,
        initiated_rate=sum(series_counts(initiated, second - 1)) / RATE_SECONDS,
        cancelled_rate=_swept(cancelled, snapshot) if snapshot.state.has_open_incident else 0.0,
        hold_queues=shown_from(hold) if policy.hold_queues else {},
        outages=outages_from(pairs(outages)),
    )


def _swept(counts: Sequence[int], snapshot: Snapshot) -> float:
    window = SWEEP_SECONDS - 1 + snapshot.now_ms % 1000 / 1000
    seconds = min(window, (snapshot.now_ms - snapshot.tripped_ms) / 1000)
    return sum(counts) / max(MIN_SECONDS, seconds)
