"""The calls of every account in Redis: phases, mirror, buckets, horizon."""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from typing import Any

from redis import Redis

from callguard.domain.calls import CallEvent, CallStatus, MirroredCall
from callguard.domain.culprits import Culprit, Sender, culprits
from callguard.domain.drain_time import Quote, may_have_left
from callguard.domain.policy import Policy
from callguard.domain.rates import LeakyBucket
from callguard.domain.readings import Observation
from callguard.domain.scope import SLACK_MS
from callguard.domain.snapshot import Finding, Rule, Snapshot
from callguard.domain.sources import Source
from callguard.domain.throughput import Throughput
from callguard.store.connection import translated_errors
from callguard.store.keys import AccountKeys
from callguard.store.retention import ACCOUNT_MS, BATCH, INCIDENT_MS, LEFT_CALL_MS, QUEUED_CALL_MS, RING_SECONDS
from callguard.store.scripts import Argument, Scripts, reading
from callguard.store.snapshots import FIELDS, WORD_FIELDS, snapshot_from, suspicion_text

_WANTED = f"HMGET {' '.join((*FIELDS, *WORD_FIELDS))}"

# The mirror's parts in the order of `_mirror`, and what each says of a call: protected, announced, out of scope.
_KINDS = ((False, False, False), (True, False, False), (False, True, False), (False, False, True))


class RedisCallTracker:
    """Fulfils `CallTracker`. Every method may raise `StoreUnavailable`."""

    def __init__(self, connection: Redis, scripts: Scripts) -> None:
        """Use `connection` for reads and `scripts` for everything that writes."""
        self._redis = connection
        self._scripts = scripts

    def observe(
        self,
        account_sid: str,
        events: Sequence[CallEvent],
        policy: Policy,
        now_ms: int,
        source: Source,
        *,
        if_crossed: bool = False,
    ) -> Observation:
        """Count the events, `BATCH` at a time; each batch is atomic and safe to repeat."""
        keys = AccountKeys(account_sid)
        batches = [events[i : i + BATCH] for i in range(0, len(events), BATCH)] or [()]
        counted = 0
        reply: list[Any] = [0, 0]
        for batch in batches:
            reply = self._scripts.run(
                "observe_calls",
                [*_account_keys(account_sid), *_event_keys(keys, batch)],
                [
                    *_settings(policy, now_ms, source),
                    int(if_crossed),
                    SLACK_MS,
                    policy.warn_share,
                    *_arguments(batch, now_ms, source),
                ],
            )
            counted += reply[0]
        if len(reply) == 2:
            return Observation(counted, None, may_warn=reply[1] == 1)
        return Observation(counted, snapshot_from(now_ms, *reply[1:]))

    def retire(
        self,
        account_sid: str,
        call_sids: Sequence[str],
        *,
        were_dialled: bool = True,
    ) -> int:
        """Take calls out of the mirror, `BATCH` at a time."""
        keys = AccountKeys(account_sid)
        fixed = [keys.state, keys.queue, keys.protected, keys.incident, keys.ledger, keys.totals]
        fixed += [keys.announced, keys.out_of_scope]
        return sum(
            self._scripts.run(
                "retire",
                [*fixed, *map(keys.call, batch)],
                [LEFT_CALL_MS, INCIDENT_MS, int(were_dialled), *batch],
            )
            for batch in (call_sids[i : i + BATCH] for i in range(0, len(call_sids), BATCH))
        )

    def oldest_ms(self, account_sid: str) -> int | None:
        """Read the heads of the mirror's parts."""
        keys = AccountKeys(account_sid)
        with translated_errors(), self._redis.pipeline(transaction=False) as pipe:
            for key in _mirror(keys):
                pipe.zrange(key, 0, 0, withscores=True)
            heads = pipe.execute()
        return min((int(created_ms) for head in heads for _, created_ms in head), default=None)

    def polled(
        self,
        account_sid: str,
        policy: Policy,
        now_ms: int,
        quote: Quote | None,
        throughput: Throughput,
        *,
        began_ms: int,
        believe: bool = True,
        never_cancel_digest: str = "",
    ) -> Snapshot:
        """Note a complete reading of Twilio's list, and read the account in the same round trip."""
        learned = (throughput.since_ms, throughput.departed, throughput.candidate, throughput.learned)
        return self._note_list(
            account_sid, policy, now_ms, quote, believe, *learned, began_ms, never_cancel_digest
        )

    def quoted(self, account_sid: str, policy: Policy, now_ms: int, quote: Quote) -> Snapshot:
        """Note the quote of a list that was not read whole, and read the account in the same round trip."""
        return self._note_list(account_sid, policy, now_ms, quote, True)

    def _note_list(
        self, account_sid: str, policy: Policy, now_ms: int, quote: Quote | None, believe: bool, *whole: Argument
    ) -> Snapshot:
        keys = AccountKeys(account_sid)
        quoted = (quote.call_sid, quote.dialled_ms) if quote else ("", 0)
        arguments = (now_ms, policy.cps, policy.min_backlog, int(bool(whole)), *quoted, int(believe), *whole)
        after = reading([*snapshot_reads(keys), (keys.outages, "HLEN")])
        _, reply = self._scripts.run_each([("polled", [keys.state, *_mirror(keys)], arguments), after])
        return snapshot_from(now_ms, *reply)

    def suspect(self, account_sid: str, finding: Finding, now_ms: int, *, by_reports: bool = False) -> None:
        """Remember a finding beside the buckets."""
        text = suspicion_text(finding, now_ms, by_reports=by_reports)
        with translated_errors():
            self._redis.hset(AccountKeys(account_sid).state, "suspect", text)

    def snapshot(self, account_sid: str, now_ms: int) -> Snapshot:
        """Read the account at one moment."""
        return snapshot_from(now_ms, *self._scripts.read(*snapshot_reads(AccountKeys(account_sid))))

    def snapshots(self, account_sids: Sequence[str], now_ms: int) -> list[Snapshot]:
        """Read each account at one moment, all in a few round trips."""
        replies = self._scripts.read_each([snapshot_reads(AccountKeys(sid)) for sid in account_sids])
        return [snapshot_from(now_ms, *reply) for reply in replies]

    def mirrored(self, account_sid: str) -> Mapping[str, MirroredCall]:
        """Read the whole mirror, a part at a time."""
        keys = AccountKeys(account_sid)
        with translated_errors(), self._redis.pipeline(transaction=False) as pipe:
            for key in _mirror(keys):
                pipe.zrange(key, 0, -1, withscores=True)
            parts = pipe.execute()
        return {
            sid: MirroredCall(int(at), *kind) for kind, part in zip(_KINDS, parts, strict=True) for sid, at in part
        }

    def mirrored_among(self, account_sid: str, call_sids: Sequence[str]) -> Mapping[str, MirroredCall]:
        """Look the calls up."""
        if not call_sids:
            return {}
        keys = AccountKeys(account_sid)
        with translated_errors(), self._redis.pipeline(transaction=False) as pipe:
            for key in _mirror(keys):
                pipe.zmscore(key, list(call_sids))
            parts = pipe.execute()
        return {
            sid: MirroredCall(int(at), *kind)
            for kind, part in zip(_KINDS, parts, strict=True)
            for sid, at in zip(call_sids, part, strict=True)
            if at is not None
        }

    def protect(self, account_sid: str, calls: Sequence[tuple[str, str]], *, protected: bool) -> None:
        """Move calls between the halves of the mirror, `BATCH` at a time."""
        keys = AccountKeys(account_sid)
        halves = [keys.queue, keys.protected] if protected else [keys.protected, keys.queue]
        for start in range(0, len(calls), BATCH):
            batch = calls[start : start + BATCH]
            call_keys = [keys.call(call_sid) for call_sid, _ in batch]
            self._scripts.run(
                "protect", [*halves, *call_keys], [ACCOUNT_MS, *(text for call in batch for text in call)]
            )

    def head(self, account_sid: str, count: int, start: int = 0) -> list[str]:
        """Read the oldest part of the mirror."""
        with translated_errors():
            head: Any = self._redis.zrange(AccountKeys(account_sid).queue, start, start + count - 1)
        return list(head)

    def in_scope(self, account_sid: str, call_sids: Sequence[str]) -> list[str]:
        """Sort the calls, `BATCH` at a time."""
        keys = AccountKeys(account_sid)
        return self._sort(keys, (keys.queue, keys.out_of_scope), call_sids, is_wanted=0)

    def newest(self, account_sid: str, start: int, count: int) -> list[str]:
        """Read the newest part of the mirror."""
        with translated_errors():
            tail: Any = self._redis.zrevrange(AccountKeys(account_sid).queue, start, start + count - 1)
        return list(tail)

    def take_back(self, account_sid: str) -> None:
        """Sort all calls that were left alone."""
        keys = AccountKeys(account_sid)
        with translated_errors():
            out_of_scope: Any = self._redis.zrange(keys.out_of_scope, 0, -1)
        self._sort(keys, (keys.out_of_scope, keys.queue), out_of_scope, is_wanted=1)

    def _sort(
        self, keys: AccountKeys, ways: tuple[str, str], call_sids: Sequence[str], *, is_wanted: int
    ) -> list[str]:
        stay: list[str] = []
        for start in range(0, len(call_sids), BATCH):
            batch = call_sids[start : start + BATCH]
            stay += self._scripts.run(
                "sort_scope", [keys.state, *ways, *map(keys.call, batch)], [is_wanted, ACCOUNT_MS, *batch]
            )
        return stay

    def never_cancel_digest(self, account_sid: str) -> str:
        """Read the digest."""
        with translated_errors():
            held: Any = self._redis.hget(AccountKeys(account_sid).state, "protection")
        return held or ""

    def repeated_by(self, account_sid: str) -> str:
        """Read what stands beside the repeats."""
        with translated_errors():
            held: Any = self._redis.hget(AccountKeys(account_sid).state, "repeated_by")
        return held or ""

    def queued_since(self, account_sid: str, seconds: int, now_ms: int) -> int:
        """Add up the ring's last `seconds`."""
        return sum(self.counts(account_sid, "q", seconds, now_ms))

    def dialled_since(self, account_sid: str, seconds: int, now_ms: int) -> int:
        """Add up the ring's last `seconds`."""
        return sum(self.counts(account_sid, "i", seconds, now_ms))

    def counts(self, account_sid: str, series: str, seconds: int, now_ms: int) -> list[int]:
        """Return the per-second counts of `q` (queued) or `i` (initiated), oldest first, up to now."""
        last = now_ms // 1000
        with translated_errors():
            held: Any = self._redis.hmget(AccountKeys(account_sid).series, series_fields(series, last, seconds))
        return series_counts(held, last)

    def culprits(self, account_sid: str, rule: Rule, policy: Policy, now_ms: int) -> list[Culprit]:
        """Read the From numbers' buckets."""
        return culprits(self.senders(account_sid, rule, policy, now_ms))

    def senders(self, account_sid: str, rule: Rule, policy: Policy, now_ms: int) -> list[Sender]:
        """Read the From numbers' buckets."""
        kind, rate = ("i", policy.initiated_rate) if rule is Rule.INITIATED else ("q", policy.spike_rate)
        with translated_errors():
            held: Any = self._redis.hgetall(AccountKeys(account_sid).senders)
        return [_sender(field[1:], bucket, rate, now_ms) for field, bucket in held.items() if field[0] == kind]

    def prune_senders(self, account_sid: str, policy: Policy, now_ms: int) -> None:
        """Forget the buckets that are empty."""
        rates = (policy.spike_rate, policy.initiated_rate)
        self._scripts.run("prune_senders", [AccountKeys(account_sid).senders], [now_ms, *rates])

    def refused(self, account_sid: str, result: str) -> None:
        """Count a callback that was not taken."""
        self.count(account_sid, f"callbacks:{result}")

    def count(self, account_sid: str, name: str, more: int = 1) -> None:
        """Count `more` of `name`, which is of a closed set, such as `reports:client:malformed`."""
        with translated_errors():
            self._redis.hincrby(AccountKeys(account_sid).totals, name, more)


def snapshot_reads(keys: AccountKeys) -> list[tuple[str, str]]:
    """Return what `snapshot_from` takes, as `Scripts.read` is told."""
    return [(keys.state, _WANTED), *((key, "ZCARD") for key in _mirror(keys)), (keys.unconfirmed, "HLEN")]


def series_fields(series: str, last: int, seconds: int) -> list[str]:
    """Return the ring's fields of `seconds` up to the second `last`, oldest first."""
    return [f"{series}{second % RING_SECONDS}" for second in range(last - seconds + 1, last + 1)]


def series_counts(held: Sequence[str | None], last: int) -> list[int]:
    """Return the counts in those fields."""
    first = last - len(held) + 1
    return [_count(field, first + place) if field else 0 for place, field in enumerate(held)]


@lru_cache(maxsize=4096)  # Writing eleven names costs as much as sending them.
def _account_keys(account_sid: str) -> tuple[str, ...]:
    keys = AccountKeys(account_sid)
    return (
        *(keys.state, keys.totals, keys.series, keys.queue, keys.protected, keys.announced),
        *(keys.incident, keys.ledger, keys.senders, keys.out_of_scope, keys.unconfirmed),
    )


def _mirror(keys: AccountKeys) -> tuple[str, ...]:
    return (keys.queue, keys.protected, keys.announced, keys.out_of_scope)


def _event_keys(keys: AccountKeys, events: Iterable[CallEvent]) -> Iterator[str]:
    for event in events:
        yield keys.call(event.call_sid)
        yield keys.destination(event.destination)


def _sender(sender: str, held: str, rate: float, now_ms: int) -> Sender:
    level, updated, onset, shown = held.split(":", 3)
    bucket = LeakyBucket(float(level), int(updated), int(onset))
    return Sender(sender, shown, bucket.level_at(now_ms, rate))


def _settings(policy: Policy, now_ms: int, source: Source) -> list[Argument]:
    # A bucket holds twice its burst: enough to trip, and soon empty again if the trip was wrong.
    return [
        *(now_ms, source.value, policy.cps, RING_SECONDS),
        *(policy.spike_rate, policy.spike_burst * 2),
        *(policy.initiated_rate, policy.initiated_burst * 2),
        *(policy.min_backlog, ACCOUNT_MS, QUEUED_CALL_MS, LEFT_CALL_MS, INCIDENT_MS),
        *(policy.repeat_limit, policy.repeat_window_seconds * 1000),
        max(2, math.ceil(policy.repeat_limit * policy.warn_share)),
        *(policy.plateau_seconds, policy.max_backlog, policy.max_drain_seconds),
    ]


def _arguments(events: Iterable[CallEvent], now_ms: int, source: Source) -> list[Argument]:
    arguments: list[Argument] = []
    for event in events:
        arguments += (
            event.call_sid,
            event.status.value,
            event.at_ms,
            2 if event.surely_protected else int(event.protected),
        )
        arguments += ("" if event.queue_ms is None else event.queue_ms,)
        arguments += (
            event.sender,
            event.sender_shown,
            event.destination,
            int(_is_doubtful(event, now_ms, source)),
        )
    return arguments


def _is_doubtful(event: CallEvent, now_ms: int, source: Source) -> bool:
    if source is Source.POLL or event.status is not CallStatus.QUEUED:
        return False
    return event.doubtful or may_have_left(event.at_ms, event.queue_ms, now_ms)


def _count(field: str, second: int) -> int:
    held_second, _, count = field.partition(":")
    return int(count) if int(held_second) == second else 0
