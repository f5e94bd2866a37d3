"""Calls reported by the programs that create them: they count once Twilio confirms them.

A report proves nothing: its key may be stolen, and its calls made up. So a report is only a reason to ask Twilio.
Twilio's list, a callback or an event confirms a call. Calls that are dialled at once appear in no list; if nothing
else confirms them, a few are looked up one by one.
"""

import logging
import random
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.detect.guard import Guard
from callguard.detect.needs import CallTracker, Notices, Reports, Telephony
from callguard.domain.calls import SETTLING_MS, CallEvent
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.replies import CancelReply
from callguard.domain.results import ReportResult, ReportSource
from callguard.domain.sources import Source

_log = logging.getLogger(__name__)

LOOKED_UP = 5
"""A sample of so many calls stands for all. With two made-up calls for each real one, it passes once in 243."""

TELL_SECONDS = 3600


class ReportedCalls:
    """Takes reports, and holds them against Twilio."""

    def __init__(
        self,
        reports: Reports,
        tracker: CallTracker,
        guard: Guard,
        telephony: Telephony,
        notices: Notices,
        clock: Clock,
    ) -> None:
        """Keep the ports and the guard that judges what is confirmed."""
        self._reports = reports
        self._tracker = tracker
        self._guard = guard
        self._telephony = telephony
        self._notices = notices
        self._clock = clock

    def take(
        self, account: Account, events: Sequence[CallEvent], reporter: ReportSource = ReportSource.CLIENT
    ) -> int:
        """Count or note reported calls, oldest first; return how many of them were new.

        Event Streams come from Twilio itself, so their calls count at once.

        Raises:
            StoreUnavailable: the same events may be given again.
        """
        if reporter is ReportSource.CLIENT:
            counted = self._note(account, events)
        else:
            counted = self._guard.take(account, events, Source.REPORT)
        for result, count in ((ReportResult.ACCEPTED, counted), (ReportResult.DUPLICATE, len(events) - counted)):
            if count:
                self._tracker.count(account.sid, f"reports:{reporter.value}:{result.value}", count)
        return counted

    def refuse(self, account_sid: str, reporter: ReportSource, result: ReportResult) -> None:
        """Count a report that was not taken. May raise `StoreUnavailable`."""
        self._tracker.count(account_sid, f"reports:{reporter.value}:{result.value}")

    def _note(self, account: Account, events: Sequence[CallEvent]) -> int:
        reported = self._reports.note(account.sid, events, account.policy)
        if reported.may_cross:
            self._guard.judge(account, self._tracker.snapshot(account.sid, self._clock.now_ms()))
        return reported.counted

    def verify(self, account: Account, began_ms: int) -> None:
        """Look up a few calls reported before `began_ms`, when a reading of Twilio's list began.

        Calls that the list shows are confirmed by it. If Twilio knows all calls that are looked up, all reported
        calls count. If not, reported calls that are old enough to be known are forgotten, and people are told.

        Raises:
            TwilioUnavailable, TwilioThrottled, TwilioRefused: nothing is forgotten.
            StoreUnavailable: a later look tries again.
        """
        waiting = sorted(
            (call for call in self._reports.unconfirmed(account.sid) if call.at_ms <= began_ms),
            key=lambda call: call.at_ms,
        )
        if not waiting:
            return
        asked = random.sample([call.call_sid for call in waiting], min(LOOKED_UP, len(waiting)))
        unknown = self._unknown(account.sid, asked)
        if not unknown:
            self._guard.take(account, waiting, Source.REPORT)
            return
        now_ms = self._clock.now_ms()
        old = [call.call_sid for call in waiting if call.at_ms < now_ms - SETTLING_MS]
        if unknown & set(old):
            self._forget(account, old, len(unknown), len(asked), now_ms)

    def _unknown(self, account_sid: str, call_sids: Sequence[str]) -> set[str]:
        """Look the calls up, all at once; return those that Twilio does not know."""
        with ThreadPoolExecutor(LOOKED_UP, thread_name_prefix="look-up") as pool:
            replies = list(pool.map(lambda sid: self._telephony.look_up(account_sid, sid), call_sids))
        return {sid for sid, reply in zip(call_sids, replies, strict=True) if reply is CancelReply.GONE}

    def _forget(self, account: Account, call_sids: Sequence[str], unknown: int, asked: int, now_ms: int) -> None:
        forgotten = self._reports.forget(account.sid, call_sids, account.policy, now_ms)
        text = (
            f"{forgotten:,} calls were reported to the guard that Twilio does not list, and of {asked} that were "
            f"looked up it does not know {unknown}. They do not count: nothing was cancelled for them, and the "
            "gate stays as it is. A program reports calls of another account, or its key is in wrong hands: look "
            "at who has a `reporter` key in CALLGUARD_API_KEY, and give out a new one"
        )
        _log.warning("account %s: %s", account.sid, text)
        notice = Notice(account.sid, NoticeKind.WARNING, text, now_ms)
        self._notices.post(notice, once="unknown reports", every_seconds=TELL_SECONDS)
