"""Twilio's list of queued calls against the mirror.

A list of 86,400 calls has 87 pages, so not every look reads it whole. A look begins at the *front*: it reads the
newest pages until one ends with a call that is known. A *whole* pass, spread over as many looks as it takes, finds
the calls that have left without any news. If the list does not come newest first, only whole passes help.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial

from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.detect.guard import Guard
from callguard.domain.calls import CallEvent, CallStatus, ListedCall
from callguard.domain.drain_time import Quote, newest_quote
from callguard.domain.snapshot import Snapshot
from callguard.domain.sources import Source
from callguard.mirror.list_pass import ListPass
from callguard.mirror.needs import CallTracker, PollLease, Telephony
from callguard.mirror.queue_mirror import QueueMirror
from callguard.mirror.renewed_lease import RenewedLease

MAX_PAGES_A_LOOK = 10
WHOLE_EVERY_MS = 15_000
DECIDE_WITHIN_MS = 2_000

CERTAIN_SECONDS = 0.5
"""Seconds for which a lease is certainly held after it was renewed (`retention.POLL_MS`)."""


@dataclass(frozen=True, slots=True)
class QueueReading:
    """What one look at Twilio's list brought.

    Attributes:
        taken: False if another process was reading the account's list; nothing was read then.
        complete: whether the list has been read to its end.
        listed: queued calls in the list, as far as it was read.
        fresh: how many of these were new.
        retired: mirrored calls that are no longer queued.
        snapshot: the account afterwards; None if the rules may have changed it, so that it must be read again.
    """

    taken: bool = True
    complete: bool = False
    listed: int = 0
    fresh: int = 0
    retired: int = 0
    snapshot: Snapshot | None = None


NOT_TAKEN = QueueReading(taken=False)


class _LeaseLost(Exception):
    """Another process has begun to read the list while we waited for a page."""


class Reconciler:
    """Keeps the mirror in agreement with Twilio's list. One process at a time reads the list of an account."""

    def __init__(
        self,
        telephony: Telephony,
        tracker: CallTracker,
        guard: Guard,
        clock: Clock,
        lease: PollLease,
        owner: str,
    ) -> None:
        """Keep the ports and the guard that judges what is found; `owner` tells this process from others."""
        self._telephony = telephony
        self._tracker = tracker
        self._guard = guard
        self._clock = clock
        self._lease = lease
        self._owner = owner
        self._mirrors: dict[str, QueueMirror] = {}
        self._under_way: dict[str, ListPass] = {}

    def read_queue(
        self, account: Account, *, retire: bool, go_on: Callable[[], bool] = lambda: True
    ) -> QueueReading:
        """Read the whole list at once, judging each page as it comes.

        With `retire`, calls that the list no longer shows leave the mirror, before the last page is judged: a
        backlog that is gone must not prove a suspicion. `go_on` is asked after each page, of which a full queue
        has 87; False breaks the reading off, and nothing retires.

        Raises:
            TwilioUnavailable, TwilioThrottled, TwilioRefused: the pages read so far have been taken.
            StoreUnavailable: likewise.
        """
        return self._alone(account, lambda: self._read_whole(account, retire, go_on))

    def look(self, account: Account, *, retire: bool, whole: bool) -> QueueReading:
        """Read what is new, and a part of a whole pass where one is due or wanted: `MAX_PAGES_A_LOOK` in all.

        Raises as `read_queue` does. A whole pass that failed begins anew with a later look.
        """
        return self._alone(account, lambda: self._look(account, retire, whole))

    def _alone(self, account: Account, read: Callable[[], QueueReading]) -> QueueReading:
        if not self._lease.take(account.sid, self._owner):
            return NOT_TAKEN
        try:
            with RenewedLease(partial(self._lease.take, account.sid, self._owner)):
                return read()
        except _LeaseLost:
            return NOT_TAKEN
        finally:
            self._lease.give_back(account.sid, self._owner)

    def _read_whole(self, account: Account, retire: bool, go_on: Callable[[], bool]) -> QueueReading:
        self._under_way.pop(account.sid, None)
        mirror = self._mirror(account)
        walk = self._begin(account)
        fresh = retired = 0
        while not walk.is_whole:
            news, gone = self._read_page(account, mirror, walk, retire, is_last=False)
            fresh, retired = fresh + news, retired + gone
            if not walk.is_whole and not go_on():
                return QueueReading(listed=len(walk.listed), fresh=fresh)
        self._conclude(account, mirror, walk, walk)
        return QueueReading(complete=True, listed=len(walk.listed), fresh=fresh, retired=retired)

    def _look(self, account: Account, retire: bool, whole: bool) -> QueueReading:
        mirror = self._mirror(account)
        front = self._begin(account)
        fresh, retired, joins = self._read_front(account, mirror, front, retire)
        if front.newest_first and not joins:
            self._under_way.pop(account.sid, None)  # the pass began before a gap that only the front covers
        walk = self._pass_that_goes_on(account, mirror, front, whole or not joins)
        budget = MAX_PAGES_A_LOOK - front.pages
        while walk is not None and not walk.is_whole and budget > 0:
            news, gone = self._read_page(account, mirror, walk, retire, is_last=budget == 1)
            fresh, retired, budget = fresh + news, retired + gone, budget - 1
        if walk is None or not walk.is_whole:
            self._note_quote(account, mirror, front)
            self._judge(account)
            return QueueReading(listed=len(front.listed), fresh=fresh, retired=retired)
        self._under_way.pop(account.sid, None)
        snapshot = self._conclude(account, mirror, walk, front)
        return QueueReading(
            complete=True, listed=len(walk.listed), fresh=fresh, retired=retired, snapshot=snapshot
        )

    def _read_front(
        self, account: Account, mirror: QueueMirror, front: ListPass, retire: bool
    ) -> tuple[int, int, bool]:
        """Read the newest pages up to one that ends with a known call: what follows it is known too."""
        fresh = retired = 0
        while not front.is_whole and front.newest_first and front.pages < MAX_PAGES_A_LOOK:
            is_last = front.pages + 1 == MAX_PAGES_A_LOOK
            news, gone = self._read_page(account, mirror, front, retire, is_last=is_last)
            fresh, retired = fresh + news, retired + gone
            if front.newest_first and front.oldest is not None and mirror.is_known(front.oldest[1]):
                return fresh, retired, True
        return fresh, retired, False

    def _pass_that_goes_on(
        self, account: Account, mirror: QueueMirror, front: ListPass, whole: bool
    ) -> ListPass | None:
        """Return the whole pass that is under way, or the front itself if one is wanted or due; else None."""
        if front.is_whole:
            return front
        overdue = self._clock.now_ms() - mirror.whole_ms >= WHOLE_EVERY_MS
        if account.sid not in self._under_way and (whole or overdue or not front.newest_first):
            self._under_way[account.sid] = front
        return self._under_way.get(account.sid)

    def _begin(self, account: Account) -> ListPass:
        self._mirror(account).begin()
        return ListPass(self._telephony.queued_calls(account.sid), self._clock)

    def _read_page(
        self, account: Account, mirror: QueueMirror, walk: ListPass, retire: bool, *, is_last: bool
    ) -> tuple[int, int]:
        """Take one page; return how many of its calls were news, and how many calls have retired.

        `is_last`: this look reads no further page.
        """
        try:
            asked_at = time.monotonic()
            calls = walk.next_page()
            was_long = time.monotonic() - asked_at >= CERTAIN_SECONDS
            if was_long and not self._lease.take(account.sid, self._owner):
                raise _LeaseLost  # another process reads the list, and these calls are older than its own
            news = mirror.news_in(calls)
            if calls and len(news) == len(calls) and not is_last:
                walk.read_ahead()  # all calls are new, so the next page will be wanted
            mirror.protect_as_wanted(calls)
            retired = mirror.retire(walk) if walk.is_whole and retire else 0
            events = _events(account, news, believe=mirror.believes_quotes)
            return (self._take(account, events, walk) if events else 0), retired
        except Exception:
            self._under_way.pop(account.sid, None)  # a page is missing: the pass begins anew
            raise

    def _take(self, account: Account, events: Sequence[CallEvent], walk: ListPass) -> int:
        """Count a page's calls, and judge them together with the pages that follow soon.

        If the list comes newest first, the calls to be dialled next come last. A drain that wakes before they are
        known begins at the wrong end, and its requests slow down the reading of the list.
        """
        if walk.is_whole or self._clock.now_ms() - walk.started_ms >= DECIDE_WITHIN_MS:
            return self._guard.take(account, events, Source.POLL)
        return self._guard.count(account, events, Source.POLL)

    def _note_quote(self, account: Account, mirror: QueueMirror, front: ListPass) -> None:
        quote = _quote(front, front, self._clock.now_ms())
        if quote is None:
            mirror.believes_quotes = mirror.believes_quotes and front.newest is None
        elif mirror.believes_quotes:
            self._tracker.quoted(account.sid, account.policy, self._clock.now_ms(), quote)

    def _conclude(self, account: Account, mirror: QueueMirror, walk: ListPass, front: ListPass) -> Snapshot | None:
        now_ms = self._clock.now_ms()
        quote = _quote(walk, front, now_ms)
        snapshot = mirror.empty or self._tracker.snapshot(account.sid, now_ms)
        oldest_ms = self._tracker.oldest_ms(account.sid) if walk.listed else None
        throughput = snapshot.throughput.after(now_ms, snapshot.departed, is_busy=_is_busy(snapshot, oldest_ms))
        mirror.was_read_whole(walk, now_ms, believe=quote is not None)
        after = self._tracker.polled(
            account.sid,
            account.policy,
            now_ms,
            quote,
            throughput,
            began_ms=walk.started_ms,
            believe=mirror.believes_quotes,
            never_cancel_digest=account.never_cancel_digest,
        )
        return None if self._guard.judge(account, after) else after

    def _judge(self, account: Account) -> None:
        self._guard.judge(account, self._tracker.snapshot(account.sid, self._clock.now_ms()))

    def _mirror(self, account: Account) -> QueueMirror:
        mirror = self._mirrors.get(account.sid)
        if mirror is None or mirror.account is not account:
            mirror = self._mirrors[account.sid] = QueueMirror(account, self._tracker)
        return mirror


def _quote(walk: ListPass, front: ListPass, now_ms: int) -> Quote | None:
    """Return the newest call's quote; the walk's oldest call shows whether Twilio's quotes hold."""
    if walk.oldest is None or front.newest is None:
        return None
    is_alone = walk.oldest[1].call_sid == front.newest[1].call_sid
    return newest_quote([front.newest] if is_alone else [walk.oldest, front.newest], now_ms)


def _is_busy(snapshot: Snapshot, oldest_ms: int | None) -> bool:
    """Return whether calls have waited ever since the list was last read whole, and no dead slots among them."""
    if oldest_ms is None or not snapshot.polled_ms:
        return False
    return oldest_ms <= snapshot.polled_ms and snapshot.now_ms >= snapshot.dead_until_ms


def _events(account: Account, calls: Sequence[tuple[int, ListedCall]], *, believe: bool) -> list[CallEvent]:
    return [
        account.hasher.of(call.from_number, call.to_number).event(
            call.call_sid, CallStatus.QUEUED, created_ms, call.queue_ms if believe else None
        )
        for created_ms, call in calls
    ]
