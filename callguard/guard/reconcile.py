"""Twilio's list of queued calls against the mirror."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent, CallStatus, ListedCall, by_creation
from callguard.domain.numbers import NumberList
from callguard.guard.guard import Guard
from callguard.ports import CallTracker, Clock, Door, MirroredCall, Telephony

# Twilio's list is eventually consistent: a call that it has never shown may be too young for it.
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
        self._listed_before: dict[str, set[str]] = {}

    def read_queue(
        self, account: Account, *, retire: bool, go_on: Callable[[], bool] = lambda: True
    ) -> QueueReading:
        """Read the list once, judging each page as it comes.

        With `retire`, calls that the list no longer shows leave the mirror, before the last page is judged: a
        backlog that is gone must not prove a suspicion. Not while a drain is at work: it may be waiting for the
        reply to the very cancel that took a call off the list. `go_on` is asked after each page, of which a full
        queue has 87; False breaks the reading off, and nothing retires.

        Raises:
            TwilioUnavailable, TwilioThrottled, TwilioRefused: the pages read so far have been taken.
            StoreUnavailable: likewise.
        """
        started_ms = self._clock.now_ms()
        known = self._tracker.mirrored(account.sid)
        protected = NumberList(account.policy.never_cancel)
        listed: set[str] = set()
        fresh = retired = 0
        for page in self._telephony.queued_calls(account.sid):
            news = [call for call in page.calls if call.call_sid not in known and call.call_sid not in listed]
            listed.update(call.call_sid for call in page.calls)
            self._spare_as_wanted(account, page.calls, known, protected)
            if page.is_last and retire:
                retired = self._retire(account, listed, started_ms)
            if news:
                fresh += self._guard.take(account, _events(news, protected, started_ms), Door.POLL)
            if not page.is_last and not go_on():
                return QueueReading(False, len(listed), fresh, 0)
        self._conclude(account, listed)
        return QueueReading(True, len(listed), fresh, retired)

    def _conclude(self, account: Account, listed: set[str]) -> None:
        self._listed_before[account.sid] = listed
        now_ms = self._clock.now_ms()
        self._tracker.polled(account.sid, account.policy, now_ms)
        self._guard.judge(account, self._tracker.snapshot(account.sid, now_ms))

    def _retire(self, account: Account, listed: set[str], started_ms: int) -> int:
        before = self._listed_before.get(account.sid, set())
        left = [
            sid
            for sid, call in self._tracker.mirrored(account.sid).items()
            if sid not in listed and (sid in before or call.created_ms < started_ms - SETTLING_MS)
        ]
        return self._tracker.retire(account.sid, left, started_ms) if left else 0

    def _spare_as_wanted(
        self,
        account: Account,
        listed: Sequence[ListedCall],
        known: Mapping[str, MirroredCall],
        protected: NumberList,
    ) -> None:
        """Put right what was mirrored under another `never_cancel`."""
        for wanted in (True, False):
            wrong = [
                call.call_sid
                for call in listed
                if (mirrored := known.get(call.call_sid))
                and mirrored.spared is not wanted
                and _is_protected(call, protected) is wanted
            ]
            if wrong:
                self._tracker.spare(account.sid, wrong, spared=wanted)


def _is_protected(call: ListedCall, protected: NumberList) -> bool:
    return call.from_number in protected or call.to_number in protected


def _events(calls: Sequence[ListedCall], protected: NumberList, now_ms: int) -> list[CallEvent]:
    return [
        CallEvent(call.call_sid, CallStatus.QUEUED, created_ms, spared=_is_protected(call, protected))
        for created_ms, call in by_creation(calls, now_ms)
    ]
