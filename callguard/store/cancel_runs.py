"""Cancel runs in Redis: what a person has cancelled by hand, so that a broken-off run can be continued."""

import secrets
from collections.abc import Collection, Iterator, Sequence
from typing import Any, TypeVar

from redis import Redis

from callguard.domain.cancel_run import Added, FoundCall, UnfinishedRun
from callguard.domain.tally import Outcome, Tally
from callguard.errors import StoreUnavailable
from callguard.store.connection import translated_errors
from callguard.store.keys import AccountKeys
from callguard.store.retention import BATCH, CANCEL_RUN_MS
from callguard.store.scripts import Scripts, pairs

_Item = TypeVar("_Item")


class RedisCancelRuns:
    """The cancel runs of every account, at most one each. Every method may raise `StoreUnavailable`."""

    def __init__(self, connection: Redis, scripts: Scripts) -> None:
        """Use `connection` for reads and `scripts` for everything that compares and sets."""
        self._redis = connection
        self._scripts = scripts

    def unfinished(self, account_sid: str) -> UnfinishedRun | None:
        """Return the account's cancel run that was begun and not finished."""
        with translated_errors():
            held: Any = self._redis.hgetall(AccountKeys(account_sid).cancel_run)
        if "numbers" not in held:
            return None
        cancel_run = self._cancel_run(account_sid, held["id"])
        return UnfinishedRun(
            held["id"],
            int(held["began"]),
            held["numbers"],
            int(held["since"]) if held["since"] else None,
            int(held["before"]) if held["before"] else None,
            cancel_run.tally(),
        )

    def begin(
        self,
        account_sid: str,
        numbers_digest: str,
        now_ms: int,
        *,
        since_ms: int | None = None,
        before_ms: int | None = None,
    ) -> "RedisCancelRun":
        """Begin a cancel run and forget an unfinished one. Of the numbers only a digest is kept."""
        times = ["" if moment_ms is None else moment_ms for moment_ms in (since_ms, before_ms)]
        cancel_run_id = secrets.token_hex(8)
        self._scripts.run(
            "begin_cancel_run",
            AccountKeys(account_sid).of_cancel_run,
            [cancel_run_id, now_ms, numbers_digest, CANCEL_RUN_MS, *times],
        )
        return self._cancel_run(account_sid, cancel_run_id)

    def resume(self, account_sid: str, unfinished: UnfinishedRun) -> "RedisCancelRun":
        """Return the cancel run that was not finished."""
        return self._cancel_run(account_sid, unfinished.id)

    def forget(self, account_sid: str) -> None:
        """Forget the account's cancel run: it is finished."""
        with translated_errors():
            self._redis.delete(*AccountKeys(account_sid).of_cancel_run)

    def _cancel_run(self, account_sid: str, cancel_run_id: str) -> "RedisCancelRun":
        return RedisCancelRun(self._redis, self._scripts, AccountKeys(account_sid), cancel_run_id)


class RedisCancelRun:
    """Fulfils `CancelRun`. Every method may raise `StoreUnavailable`, and may then be repeated."""

    def __init__(self, connection: Redis, scripts: Scripts, keys: AccountKeys, cancel_run_id: str) -> None:
        """Read and write the cancel run of that id, as long as it is the account's."""
        self._redis = connection
        self._scripts = scripts
        self._keys = keys
        self._id = cancel_run_id

    def add(self, calls: Sequence[FoundCall], *, again: Collection[Outcome] = ()) -> Added:
        """Add what a list has shown, `BATCH` calls at a time."""
        retried = "".join(f",{outcome.value}" for outcome in again) + ","
        added = Added()
        for batch in _batches(calls):
            rows = ((call.call_sid, call.created_ms, int(call.protected)) for call in batch)
            fields = [field for row in rows for field in row]
            reply = self._run("add_to_cancel_run", [retried, *fields])
            if not reply:
                raise StoreUnavailable("the cancel run is not there any more: another one has begun")
            added += Added(*reply)
        return added

    def known(self) -> set[str]:
        """Return every call that was ever found."""
        left, settled = self._scripts.read(
            (self._keys.cancel_run_left, "ZRANGE 0 -1"), (self._keys.cancel_run_outcomes, "HKEYS")
        )
        return {*left, *settled}

    def head(self, count: int) -> Sequence[str]:
        """Return the oldest `count` calls that are not settled."""
        with translated_errors():
            head: Any = self._redis.zrange(self._keys.cancel_run_left, 0, count - 1) if count > 0 else []
        return list(head)

    def settle(self, outcomes: Sequence[tuple[str, Outcome]]) -> bool:
        """Record what became of calls, each once; False if another cancel run has begun."""
        if not outcomes:
            return bool(self._run("settle_cancel_run", []))
        settled = True
        for batch in _batches(outcomes):
            settled = bool(self._run("settle_cancel_run", [f for sid, what in batch for f in (sid, what.value)]))
        return settled

    def tally(self) -> Tally:
        """Count everything, at one moment."""
        flat, remaining = self._scripts.read(
            (self._keys.cancel_run, "HGETALL"), (self._keys.cancel_run_left, "ZCARD")
        )
        held = pairs(flat)
        outcomes = {outcome: int(held[outcome.value]) for outcome in Outcome if outcome.value in held}
        return Tally(outcomes, remaining)

    def _run(self, script: str, arguments: Sequence[Any]) -> Any:
        return self._scripts.run(script, self._keys.of_cancel_run, [self._id, CANCEL_RUN_MS, *arguments])


def _batches(items: Sequence[_Item]) -> Iterator[Sequence[_Item]]:
    return (items[start : start + BATCH] for start in range(0, len(items), BATCH))
