"""Twilio's list of queued calls against the mirror."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent, CallStatus, ListedCall, by_creation
from callguard.domain.numbers import NumberList
from callguard.guard.guard import Guard
from callguard.ports import CallTracker, Clock, Door, Telephony

# Twilio's list is eventually consistent: a call this young may not be in it yet.
SETTLING_MS = 10_000


@dataclass(frozen=True, slots=True)
class QueueReading:
    """What one reading of Twilio's list brought.

    Attributes:
        complete: False if it was broken off.
        listed: queued calls in the list.
        fresh: of these, how many were news.
        retired: calls that were in the mirror and are queued no more.
    """

    complete: bool
    listed: int
    fresh: int
    retired: int


class Reconciler:
    """Keeps the mirror true to Twilio's list."""

    def __init__(self, telephony: Telephony, tracker: CallTracker, guard: Guard, clock: Clock) -> None:
        """Keep the ports and the guard that judges what is found."""
        self._telephony = telephony
        self._tracker = tracker
        self._guard = guard
        self._clock = clock

    def read_queue(
        self, account: Account, *, retire: bool, go_on: Callable[[], bool] = lambda: True
    ) -> QueueReading:
        """Read the list once, judging each page as it comes.

        With `retire`, calls that the list no longer shows leave the mirror. Not while a drain is at work: it
        may be waiting for the reply to the very cancel that took a call off the list. `go_on` is asked after each
        page, of which a full queue has 87; False breaks the reading off, and nothing retires.

        Raises:
            TwilioUnavailable, TwilioThrottled, TwilioRefused: the pages read so far have been taken.
            StoreUnavailable: likewise.
        """
        started_ms = self._clock.now_ms()
        protected = NumberList(account.policy.never_cancel)
        known = self._tracker.mirrored(account.sid)
        listed: set[str] = set()
        fresh = 0
        for page in self._telephony.queued_calls(account.sid):
            news = [call for call in page if call.call_sid not in known and call.call_sid not in listed]
            listed.update(call.call_sid for call in page)
            if news:
                fresh += self._guard.take(account, _events(news, protected, started_ms), Door.POLL)
            if not go_on():
                return QueueReading(False, len(listed), fresh, 0)
        retired = self._retire(account, listed, started_ms) if retire else 0
        now_ms = self._clock.now_ms()
        self._tracker.polled(account.sid, account.policy, now_ms)
        self._guard.judge(account, self._tracker.snapshot(account.sid, now_ms))
        return QueueReading(True, len(listed), fresh, retired)

    def _retire(self, account: Account, listed: set[str], started_ms: int) -> int:
        mirrored = self._tracker.mirrored(account.sid)
        left = [
            sid
            for sid, created_ms in mirrored.items()
            if sid not in listed and created_ms < started_ms - SETTLING_MS
        ]
        return self._tracker.retire(account.sid, left, started_ms) if left else 0


def _events(calls: Sequence[ListedCall], protected: NumberList, now_ms: int) -> list[CallEvent]:
    return [
        CallEvent(
            call.call_sid,
            CallStatus.QUEUED,
            created_ms,
            spared=call.from_number in protected or call.to_number in protected,
        )
        for created_ms, call in by_creation(calls, now_ms)
    ]
