"""Cancelling the one call that a person names.

The person's word counts: `never_cancel`, `observe`, a campaign and a pause hold back the guard, not its operator.
Two kinds of calls are refused all the same: those to emergency numbers, and those that no API request has made,
which never wait in the rate queue: somebody is being connected.
"""

import logging
import re
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from callguard.cancel.needs import CallTracker, Telephony
from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.replies import CancelReply
from callguard.errors import StoreUnavailable, TwilioRefused, TwilioThrottled, TwilioUnavailable

_log = logging.getLogger(__name__)

PATIENCE_SECONDS = 4.0
"""Seconds after which no request to Twilio begins any more: a person waits for the answer."""

MAX_TRIES = 6
INITIAL_PAUSE_SECONDS = 0.1

_CALL_SID = re.compile("CA[0-9a-fA-F]{32}")


class Verdict(Enum):
    """What became of the wish to cancel a call."""

    CANCELLED = "cancelled"
    NOT_QUEUED = "no longer queued"
    NOT_FOUND = "not found"
    EMERGENCY = "refused, as it is to an emergency number"
    OTHER_CALL = "refused, as no API request has made it"


_REFUSED = {CancelReply.EMERGENCY: Verdict.EMERGENCY, CancelReply.OTHER_CALL: Verdict.OTHER_CALL}


class SingleCancel:
    """Cancels a call that is still queued, in whichever account it is."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        telephony: Telephony,
        tracker: CallTracker,
        clock: Clock,
        count: Callable[[Account, Sequence[CallEvent]], object],
    ) -> None:
        """Keep the ports; `telephony` must answer, or give up, within a second or two. `count` counts news."""
        self._accounts = accounts
        self._telephony = telephony
        self._tracker = tracker
        self._clock = clock
        self._count = count

    def cancel(self, call_sid: str, by: str) -> Verdict:
        """Cancel the call for `by`, the name of the person, which goes into the log.

        The account whose mirror knows the call is asked first, then the others, one after the other.

        Raises:
            StoreUnavailable: nothing was sent to Twilio.
            TwilioUnavailable, TwilioThrottled, TwilioRefused: an account did not answer, or not to the end,
                and no other has the call. It may have been cancelled; repeating the request does no harm.
        """
        if not _CALL_SID.fullmatch(call_sid):
            return Verdict.NOT_FOUND
        knows = {sid for sid in self._accounts if self._tracker.mirrored_among(sid, [call_sid])}
        until = time.monotonic() + PATIENCE_SECONDS
        trouble: TwilioUnavailable | TwilioThrottled | TwilioRefused | None = None
        for account_sid in sorted(self._accounts, key=lambda sid: sid not in knows):
            attempt = _Attempt(self._telephony, account_sid, call_sid, until)
            try:
                reply = attempt.reply()
            except (TwilioUnavailable, TwilioThrottled, TwilioRefused) as error:
                self._log_trouble(attempt, by, error)
                trouble = trouble or error
                continue
            if reply is not CancelReply.GONE:
                return self._found(attempt, reply, by, is_mirrored=account_sid in knows)
        if trouble is not None:
            raise trouble
        return Verdict.NOT_FOUND

    def _found(self, attempt: "_Attempt", reply: CancelReply, by: str, *, is_mirrored: bool) -> Verdict:
        is_ours = reply is CancelReply.CANCELLED and attempt.was_sent
        verdict = _REFUSED.get(reply) or (Verdict.CANCELLED if is_ours else Verdict.NOT_QUEUED)
        shown = (attempt.account_sid, by, attempt.call_sid[-4:], verdict.value)
        _log.warning("account %s: %s asked to cancel call …%s: %s", *shown)
        if is_ours or (is_mirrored and reply is CancelReply.CANCELLED):
            self._note(attempt)
        return verdict

    def _note(self, attempt: "_Attempt") -> None:
        """Record the outcome, as a callback would. If that fails, the watcher finds it in Twilio's list."""
        account = self._accounts[attempt.account_sid]
        news = [CallEvent(attempt.call_sid, CallStatus.CANCELED, self._clock.now_ms())]
        try:
            self._count(account, news)
        except StoreUnavailable as error:
            _log.warning(
                "account %s: call …%s is cancelled, but that could not be noted: %s",
                *(account.sid, attempt.call_sid[-4:], error),
            )

    def _log_trouble(self, attempt: "_Attempt", by: str, error: Exception) -> None:
        what = "may or may not be cancelled" if attempt.was_sent else "could not be looked up"
        shown = (attempt.account_sid, by, attempt.call_sid[-4:], what, error)
        _log.warning("account %s: %s asked to cancel call …%s, which %s: %s", *shown)


@dataclass(slots=True)
class _Attempt:
    """The attempt to cancel a call in one account. `was_sent`: Twilio was asked, and may have cancelled it."""

    telephony: Telephony
    account_sid: str
    call_sid: str
    until: float
    was_sent: bool = False

    def reply(self) -> CancelReply:
        """Return what the call is now: anything but still queued.

        After a reply that was lost, or does not say `canceled`, the call is fetched. Raises as
        `SingleCancel.cancel`.
        """
        trouble: TwilioUnavailable | TwilioThrottled = TwilioUnavailable("there was no time left to ask")
        for tried in range(MAX_TRIES):
            pause = INITIAL_PAUSE_SECONDS * 2 ** (tried - 1) if tried else 0.0
            pause = max(pause, getattr(trouble, "retry_after", None) or 0.0)
            if time.monotonic() + pause >= self.until:
                break
            time.sleep(pause)
            try:
                reply = self._look_and_cancel()
            except (TwilioUnavailable, TwilioThrottled) as error:
                trouble = error
                continue
            if reply is not CancelReply.STILL_QUEUED:
                return reply
            trouble = TwilioUnavailable("Twilio was asked to cancel the call and says that it is still queued")
        raise trouble

    def _look_and_cancel(self) -> CancelReply:
        """Fetch the call first: `Status=canceled` would also end a ringing call."""
        reply = self.telephony.look_up(self.account_sid, self.call_sid)
        if reply is not CancelReply.STILL_QUEUED:
            return reply
        self.was_sent = True
        reply = self.telephony.cancel(self.account_sid, self.call_sid)
        # Twilio has just shown the call. A 404 now comes from a server that lags behind, so ask again.
        return CancelReply.STILL_QUEUED if reply is CancelReply.GONE else reply
