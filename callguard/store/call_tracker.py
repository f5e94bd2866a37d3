"""The calls of every account in Redis: phases, mirror, buckets, horizon."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from redis import Redis

from callguard.domain.accounts import Finding, Snapshot
from callguard.domain.calls import CallEvent
from callguard.domain.policy import Policy
from callguard.ports import Door, MirroredCall, Observation
from callguard.store.connection import translated_errors
from callguard.store.keys import AccountKeys
from callguard.store.retention import ACCOUNT_MS, INCIDENT_MS, LEFT_CALL_MS, QUEUED_CALL_MS, RING_SECONDS
from callguard.store.scripts import Argument, Scripts
from callguard.store.snapshots import FIELDS, snapshot_from

# A script blocks the server while it runs: 500 events take some 10 ms.
BATCH = 500


class RedisCallTracker:
    """Fulfils `CallTracker`. Every method may raise `StoreUnavailable`."""

    def __init__(self, connection: Redis, scripts: Scripts) -> None:
        """Use `connection` for reads and `scripts` for everything that writes."""
        self._redis = connection
        self._scripts = scripts

    def observe(
        self, account_sid: str, events: Sequence[CallEvent], policy: Policy, now_ms: int, door: Door
    ) -> Observation:
        """Count the events, `BATCH` at a time; each batch is atomic and safe to repeat."""
        keys = AccountKeys(account_sid)
        batches = [events[i : i + BATCH] for i in range(0, len(events), BATCH)] or [()]
        counted, reply = 0, []
        for batch in batches:
            reply = self._scripts.run(
                "observe_calls",
                [*_account_keys(keys), *(keys.call(event.call_sid) for event in batch)],
                [*_settings(policy, now_ms, door), *_arguments(batch)],
            )
            counted += reply[0]
        return Observation(counted, snapshot_from(now_ms, *reply[1:]))

    def retire(self, account_sid: str, call_sids: Sequence[str], now_ms: int) -> int:  # noqa: ARG002
        """Take calls out of the mirror, `BATCH` at a time."""
        keys = AccountKeys(account_sid)
        fixed = [keys.state, keys.queue, keys.spared, keys.incident, keys.ledger, keys.totals]
        return sum(
            self._scripts.run("retire", [*fixed, *map(keys.call, batch)], [LEFT_CALL_MS, INCIDENT_MS, *batch])
            for batch in (call_sids[i : i + BATCH] for i in range(0, len(call_sids), BATCH))
        )

    def polled(self, account_sid: str, policy: Policy, now_ms: int) -> None:
        """Note a complete reading of Twilio's list."""
        keys = AccountKeys(account_sid)
        self._scripts.run(
            "polled",
            [keys.state, keys.queue, keys.spared],
            [now_ms, policy.cps, policy.min_backlog],
        )

    def suspect(self, account_sid: str, finding: Finding, now_ms: int) -> None:
        """Remember a finding beside the buckets."""
        fields: dict[Any, Any] = {
            "suspect_rule": finding.rule.value,
            "suspect_observed": finding.observed,
            "suspect_threshold": finding.threshold,
            "suspect_setting": finding.setting,
            "suspect_onset": finding.onset_ms,
            "suspect_since": now_ms,
        }
        with translated_errors():
            self._redis.hset(AccountKeys(account_sid).state, mapping=fields)

    def snapshot(self, account_sid: str, now_ms: int) -> Snapshot:
        """Read the account in one transaction."""
        keys = AccountKeys(account_sid)
        with translated_errors(), self._redis.pipeline() as pipe:
            pipe.hmget(keys.state, FIELDS)
            pipe.zcard(keys.queue)
            pipe.zcard(keys.spared)
            return snapshot_from(now_ms, *pipe.execute())

    def mirrored(self, account_sid: str) -> Mapping[str, MirroredCall]:
        """Read the whole mirror."""
        keys = AccountKeys(account_sid)
        with translated_errors(), self._redis.pipeline() as pipe:
            pipe.zrange(keys.queue, 0, -1, withscores=True)
            pipe.zrange(keys.spared, 0, -1, withscores=True)
            queue, spared = pipe.execute()
        halves = ((queue, False), (spared, True))
        return {sid: MirroredCall(int(at), is_spared) for half, is_spared in halves for sid, at in half}

    def spare(self, account_sid: str, call_sids: Sequence[str], *, spared: bool) -> None:
        """Move calls between the halves of the mirror, `BATCH` at a time."""
        keys = AccountKeys(account_sid)
        halves = [keys.queue, keys.spared] if spared else [keys.spared, keys.queue]
        for start in range(0, len(call_sids), BATCH):
            self._scripts.run("spare", halves, [ACCOUNT_MS, *call_sids[start : start + BATCH]])

    def head(self, account_sid: str, count: int) -> list[str]:
        """Read the oldest part of the mirror."""
        with translated_errors():
            head: Any = self._redis.zrange(AccountKeys(account_sid).queue, 0, count - 1)
        return list(head)

    def queued_since(self, account_sid: str, seconds: int, now_ms: int) -> int:
        """Add up the ring's last `seconds`."""
        return sum(self.counts(account_sid, "q", seconds, now_ms))

    def counts(self, account_sid: str, series: str, seconds: int, now_ms: int) -> list[int]:
        """Return the per-second counts of `q` (queued) or `i` (initiated), oldest first, up to now."""
        last = now_ms // 1000
        wanted = range(last - seconds + 1, last + 1)
        with translated_errors():
            held: Any = self._redis.hmget(
                AccountKeys(account_sid).series, [f"{series}{second % RING_SECONDS}" for second in wanted]
            )
        return [_count(field, second) for field, second in zip(held, wanted, strict=True)]

    def refused(self, account_sid: str, result: str) -> None:
        """Count a callback that was not taken."""
        with translated_errors():
            self._redis.hincrby(AccountKeys(account_sid).totals, f"callbacks:{result}", 1)


def _account_keys(keys: AccountKeys) -> list[str]:
    return [
        *(keys.state, keys.totals, keys.series),
        *(keys.queue, keys.spared, keys.incident, keys.ledger),
    ]


def _settings(policy: Policy, now_ms: int, door: Door) -> list[Argument]:
    # A bucket holds twice its burst: enough to trip, and soon empty again where a trip was not called for.
    return [
        *(now_ms, door.value, policy.cps, RING_SECONDS),
        *(policy.spike_rate, policy.spike_burst * 2),
        *(policy.initiated_rate, policy.initiated_burst * 2),
        *(policy.min_backlog, ACCOUNT_MS, QUEUED_CALL_MS, LEFT_CALL_MS, INCIDENT_MS),
    ]


def _arguments(events: Iterable[CallEvent]) -> list[Argument]:
    arguments: list[Argument] = []
    for event in events:
        status = event.status
        arguments += (event.call_sid, status.value, int(status.phase))
        arguments += (int(status.has_been_dialled), event.at_ms, int(event.spared))
    return arguments


def _count(field: str | None, second: int) -> int:
    held_second, _, count = (field or "0:0").partition(":")
    return int(count) if int(held_second) == second else 0
