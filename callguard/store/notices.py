"""The outbox in Redis: what people are to be told, until they have been."""

import json
import logging
from dataclasses import astuple
from hashlib import sha256
from typing import Any

from redis import Redis

from callguard.ports import Notice, NoticeKind
from callguard.store.connection import translated_errors
from callguard.store.keys import NOTICES, told
from callguard.store.retention import HOUR_MS
from callguard.store.scripts import Scripts

_log = logging.getLogger(__name__)

MOST_NOTICES = 1_000
NOTICE_MS = 30 * 24 * HOUR_MS
REPEAT_MS = HOUR_MS
"""For how long the same notice is taken for a repeat after a lost reply."""

_KINDS = {kind.value: kind for kind in NoticeKind}


class RedisNotices:
    """Fulfils `Notices`. Every method may raise `StoreUnavailable`, and may then be repeated."""

    def __init__(self, connection: Redis, scripts: Scripts) -> None:
        """Use `connection` to read and `scripts` to post."""
        self._redis = connection
        self._scripts = scripts

    def post(self, notice: Notice, *, once: str = "", every_seconds: int = 0) -> bool:
        """Put a notice into the outbox; the oldest gives way where it is full.

        `once` is the account's own: two accounts do not hold up each other. Without `every_seconds` it holds for
        30 days. The same notice (equal in everything) posted again counts as posted, but is not added again.
        """
        digest = _digest(notice)
        name = once or f"notice:{digest}"
        quiet_ms = (every_seconds * 1000 or NOTICE_MS) if once else REPEAT_MS
        fields = (notice.account_sid, notice.kind.value, notice.text, notice.at_ms)
        posted, dropped = self._scripts.run(
            "post_notice",
            [NOTICES, told(notice.account_sid, name)],
            [digest, quiet_ms, MOST_NOTICES, NOTICE_MS, *fields],
        )
        if dropped:
            _log.error("the outbox is full (%d notices): the oldest %d dropped untold", MOST_NOTICES, dropped)
        return bool(posted)

    def waiting(self, count: int) -> list[tuple[str, Notice]]:
        """Read the oldest notices. One of a kind that only a newer version knows is left for that version."""
        with translated_errors():
            entries: Any = self._redis.xrange(NOTICES, count=count)
        return [(entry_id, _notice(fields)) for entry_id, fields in entries if fields["kind"] in _KINDS]

    def done(self, notice_id: str) -> None:
        """Take a notice out of the outbox; a repeat does nothing."""
        with translated_errors():
            self._redis.xdel(NOTICES, notice_id)


def _notice(fields: dict[str, str]) -> Notice:
    return Notice(fields["account_sid"], _KINDS[fields["kind"]], fields["text"], int(fields["at_ms"]))


def _digest(notice: Notice) -> str:
    account_sid, kind, text, at_ms = astuple(notice)
    return sha256(json.dumps([account_sid, kind.value, text, at_ms]).encode()).hexdigest()[:32]
