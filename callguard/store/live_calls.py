"""What was done with live calls, in Redis, and how many callers are on hold."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from redis import Redis

from callguard.domain.incidents import LiveOutcome, incident_id
from callguard.domain.live_call import Claim
from callguard.store.connection import translated_errors
from callguard.store.decisions import RedisDecisions
from callguard.store.keys import AccountKeys
from callguard.store.retention import HOLD_MS, INCIDENT_MS, LIVE_CALL_MS
from callguard.store.scripts import Scripts

ATTEMPT_MS = 15_000
"""Milliseconds before an unfinished attempt may be repeated: longer than a request waits for its answer."""

MAX_ATTEMPTS = 3


class RedisLiveCallStore:
    """Fulfils `LiveCallStore`. Every method may raise `StoreUnavailable`."""

    def __init__(self, connection: Redis, scripts: Scripts, decisions: RedisDecisions | None = None) -> None:
        """Use `scripts` for everything that compares and sets; `decisions` remembers what people have decided."""
        self._redis = connection
        self._scripts = scripts
        self._decisions = decisions or RedisDecisions(connection, scripts)

    def claim(self, account_sid: str, generation: int, call_sid: str, now_ms: int, *, unheard: bool) -> Claim:
        """Take the call for `ATTEMPT_MS`, at most `MAX_ATTEMPTS` times."""
        keys = AccountKeys(account_sid)
        reply = self._scripts.run(
            "claim_live_call",
            [keys.state, keys.call(call_sid), keys.live(call_sid)],
            [
                generation,
                now_ms,
                ATTEMPT_MS,
                MAX_ATTEMPTS,
                LIVE_CALL_MS,
                int(unheard),
                self._decisions.latest(account_sid),
            ],
        )
        return Claim(reply)

    def put_back(self, account_sid: str, call_sid: str, *, spent: bool) -> None:
        """End the attempt, or take it back."""
        key = AccountKeys(account_sid).live(call_sid)
        self._scripts.run("unclaim_live_call", [key], [int(spent), LIVE_CALL_MS])

    def settle(self, account_sid: str, generation: int, call_sid: str, outcome: LiveOutcome | None) -> None:
        """Record the outcome."""
        keys = AccountKeys(account_sid)
        closed = keys.closed_incident(incident_id(account_sid, generation))
        self._scripts.run(
            "settle_live_call",
            [keys.state, keys.live(call_sid), keys.incident, closed, keys.totals],
            [generation, outcome.value if outcome else "", LIVE_CALL_MS, INCIDENT_MS],
        )

    def leave_alone(self, account_sid: str, call_sids: Sequence[str]) -> None:
        """Mark the calls, for as long as a call can last."""
        keys = AccountKeys(account_sid)
        with translated_errors(), self._redis.pipeline(transaction=False) as pipe:
            for call_sid in call_sids:
                pipe.set(keys.live(call_sid), "left", px=LIVE_CALL_MS)
            pipe.execute()


class RedisHoldQueueSizes:
    """Fulfils `HoldQueueSizes`. Every method may raise `StoreUnavailable`."""

    def __init__(self, connection: Redis) -> None:
        """Use `connection`."""
        self._redis = connection

    def show(self, account_sid: str, sizes: Mapping[str, int]) -> None:
        """Write them, for `HOLD_MS`."""
        with translated_errors():
            self._redis.set(AccountKeys(account_sid).hold, json.dumps(sizes), px=HOLD_MS)

    def shown(self, account_sid: str) -> Mapping[str, int]:
        """Read them."""
        with translated_errors():
            held: Any = self._redis.get(AccountKeys(account_sid).hold)
        return shown_from(held)


def shown_from(held: str | None) -> Mapping[str, int]:
    """Return what is stored of hold queues: callers by the queue's name."""
    return dict(json.loads(held)) if held else {}
