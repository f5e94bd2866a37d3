"""Calls in Redis that their creators have reported, until Twilio confirms them."""

from collections.abc import Sequence
from typing import Any

from redis import Redis

from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.policy import Policy
from callguard.domain.readings import Reported
from callguard.store.connection import translated_errors
from callguard.store.keys import AccountKeys
from callguard.store.retention import ACCOUNT_MS, BATCH
from callguard.store.scripts import Argument, Scripts


class RedisReports:
    """Fulfils `Reports`."""

    def __init__(self, connection: Redis, scripts: Scripts) -> None:
        """Use `connection` for reads and `scripts` for everything that writes."""
        self._redis = connection
        self._scripts = scripts

    def note(self, account_sid: str, events: Sequence[CallEvent], policy: Policy) -> Reported:
        """Note the calls, `BATCH` at a time; each batch is atomic and safe to repeat."""
        keys, counted, may_cross = AccountKeys(account_sid), 0, 0
        for start in range(0, len(events), BATCH):
            batch = events[start : start + BATCH]
            news, may_cross = self._scripts.run(
                "report_calls",
                [keys.state, keys.unconfirmed, *(keys.call(event.call_sid) for event in batch)],
                [policy.cps, policy.spike_rate, policy.spike_burst * 2, ACCOUNT_MS, *_arguments(batch)],
            )
            counted += news
        return Reported(counted, may_cross == 1)

    def unconfirmed(self, account_sid: str) -> list[CallEvent]:
        """Read the hash."""
        with translated_errors():
            held: Any = self._redis.hgetall(AccountKeys(account_sid).unconfirmed)
        return [_event(sid, text) for sid, text in held.items()]

    def forget(self, account_sid: str, call_sids: Sequence[str], policy: Policy, now_ms: int) -> int:
        """Forget the calls, `BATCH` at a time."""
        keys = AccountKeys(account_sid)
        return sum(
            self._scripts.run(
                "drop_reports",
                [keys.state, keys.unconfirmed, keys.totals],
                [now_ms, policy.cps, *call_sids[start : start + BATCH]],
            )
            for start in range(0, len(call_sids), BATCH)
        )


def _arguments(events: Sequence[CallEvent]) -> list[Argument]:
    arguments: list[Argument] = []
    for event in events:
        queue_ms = "" if event.queue_ms is None else event.queue_ms
        arguments += (event.call_sid, event.at_ms, queue_ms, _text(event))
    return arguments


def _text(event: CallEvent) -> str:
    marks = (
        int(event.protected),
        int(event.surely_protected),
        event.sender,
        event.destination,
        event.sender_shown,
    )
    return "|".join(map(str, (event.at_ms, *marks)))


def _event(call_sid: str, text: str) -> CallEvent:
    at, protected, surely_protected, sender, destination, shown = text.split("|", 5)
    return CallEvent(
        call_sid,
        CallStatus.QUEUED,
        int(at),
        protected=protected == "1",
        sender=sender,
        sender_shown=shown,
        destination=destination,
        doubtful=True,  # only a list that shows the call proves that it is still queued
        surely_protected=surely_protected == "1",
    )
