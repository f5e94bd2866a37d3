"""The outbox in Redis: the notices that wait until people have them."""

import json
import logging
from collections.abc import Collection
from dataclasses import astuple
from hashlib import sha256
from typing import Any

from redis import Redis

from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.readings import OutboxFacts
from callguard.domain.results import NoticeResult
from callguard.store.connection import translated_errors
from callguard.store.keys import NOTICE_RESULTS, NOTICES, NOTICES_TAKEN, told
from callguard.store.retention import HOUR_MS
from callguard.store.scripts import Scripts

_log = logging.getLogger(__name__)

MAX_NOTICES = 1_000
NOTICE_MS = 30 * 24 * HOUR_MS
REPEAT_MS = HOUR_MS
"""Milliseconds for which the same notice counts as a repeat after a lost reply."""

_KINDS = {kind.value: kind for kind in NoticeKind}


class RedisNotices:
    """Fulfils `Notices`, `Outbox` and `OutboxReadings`.

    Every method may raise `StoreUnavailable`, and may then be repeated.
    """

    def __init__(self, connection: Redis, scripts: Scripts) -> None:
        """Use `connection` to read and `scripts` to post."""
        self._redis = connection
        self._scripts = scripts

    def post(self, notice: Notice, *, once: str = "", every_seconds: int = 0) -> bool:
        """Put a notice into the outbox; the oldest is dropped if the outbox is full.

        `once` is separate for each account. Without `every_seconds` it holds for 30 days. The same notice (equal
        in everything) posted again counts as posted, but is not added again.
        """
        digest = _digest(notice)
        name = once or f"notice:{digest}"
        quiet_ms = (every_seconds * 1000 or NOTICE_MS) if once else REPEAT_MS
        fields = (notice.account_sid, notice.kind.value, notice.text, notice.at_ms)
        posted, dropped = self._scripts.run(
            "post_notice",
            [NOTICES, told(notice.account_sid, name), NOTICE_RESULTS],
            [digest, quiet_ms, MAX_NOTICES, NOTICE_MS, *fields],
        )
        if dropped:
            _log.error("the outbox is full (%d notices): the oldest %d dropped untold", MAX_NOTICES, dropped)
        return bool(posted)

    def waiting(self, count: int) -> list[tuple[str, Notice]]:
        """Read the oldest notices. One of a kind that only a newer version knows is left for that version."""
        with translated_errors():
            entries: Any = self._redis.xrange(NOTICES, count=count)
        return [(entry_id, _notice(fields)) for entry_id, fields in entries if fields["kind"] in _KINDS]

    def done(self, notice_id: str, result: NoticeResult | None = None) -> None:
        """Take a notice out of the outbox and count the result, if there is one; a repeat does nothing."""
        keys, counted = [NOTICES, NOTICES_TAKEN, NOTICE_RESULTS], result.value if result else ""
        self._scripts.run("close_notice", keys, [notice_id, counted, NOTICE_MS])

    def failed(self, notice_id: str, taken_by: Collection[str]) -> None:
        """Count a failed try, and record which receivers have the notice already."""
        with translated_errors(), self._redis.pipeline() as pipe:
            pipe.hincrby(NOTICE_RESULTS, NoticeResult.FAILED.value, 1)
            pipe.pexpire(NOTICE_RESULTS, NOTICE_MS)
            if taken_by:
                pipe.hset(NOTICES_TAKEN, notice_id, ",".join(sorted(taken_by)))
                pipe.pexpire(NOTICES_TAKEN, NOTICE_MS)
            pipe.execute()

    def taken_by(self, notice_id: str) -> frozenset[str]:
        """Read which receivers have the notice, though others do not."""
        with translated_errors():
            held: Any = self._redis.hget(NOTICES_TAKEN, notice_id)
        return frozenset(held.split(",")) if held else frozenset()

    def facts(self) -> OutboxFacts:
        """Read the counts and the oldest notice."""
        with translated_errors(), self._redis.pipeline(transaction=False) as pipe:
            pipe.hgetall(NOTICE_RESULTS)
            pipe.xrange(NOTICES, count=1)
            totals, oldest = pipe.execute()
        counts = {result: int(count) for result, count in totals.items()}
        return OutboxFacts(counts, int(oldest[0][1]["at_ms"]) if oldest else 0)


def _notice(fields: dict[str, str]) -> Notice:
    return Notice(fields["account_sid"], _KINDS[fields["kind"]], fields["text"], int(fields["at_ms"]))


def _digest(notice: Notice) -> str:
    account_sid, kind, text, at_ms = astuple(notice)
    return sha256(json.dumps([account_sid, kind.value, text, at_ms]).encode()).hexdigest()[:32]
