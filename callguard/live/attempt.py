"""One attempt to end or redirect one live call."""

import logging
from dataclasses import dataclass, field
from enum import Enum

from callguard.domain.calls import CallStatus
from callguard.domain.incidents import LiveOutcome
from callguard.domain.live_call import Claim, LiveCall
from callguard.domain.replies import CancelReply, LiveReply
from callguard.errors import TwilioRefused, TwilioThrottled, TwilioUnavailable
from callguard.live.needs import LiveCallStore, LiveTelephony

_log = logging.getLogger(__name__)


class LiveEnding(Enum):
    """How an attempt ended."""

    SETTLED = "settled"
    UNKNOWN = "unknown"
    LEFT = "left alone"
    LATER = "later"
    STOPPED = "stopped"
    DENIED = "denied"


@dataclass(slots=True)
class Actor:
    """Acts on live calls of one account in one generation; `attempt` is safe to use from many threads.

    Attributes:
        account_sid: whose calls.
        generation: the incident's.
        telephony: Twilio.
        book: what was done.
        url: where calls are redirected to; empty: they are hung up on.
        done: calls that need no further look.
        unsure: calls whose last reply was lost; they may be over.
        retry_after: the pause in seconds that Twilio last asked for, if it did.
    """

    account_sid: str
    generation: int
    telephony: LiveTelephony
    store: LiveCallStore
    url: str
    done: set[str] = field(default_factory=set)
    unsure: set[str] = field(default_factory=set)
    retry_after: float | None = None

    def attempt(self, call: LiveCall, now_ms: int, *, unheard: bool) -> LiveEnding:
        """Act on the call if the kill switch allows it and nobody has acted on it, and record the outcome.

        `unheard`: act even if there was never any news of the call. A ringing call cannot be redirected: it is
        left to ring.

        Raises:
            StoreUnavailable: a call that was acted on is not tried again before this attempt has expired.
        """
        if self.url and call.status is CallStatus.RINGING:
            return LiveEnding.LEFT
        claim = self.store.claim(self.account_sid, self.generation, call.call_sid, now_ms, unheard=unheard)
        if claim is Claim.STOPPED:
            return LiveEnding.STOPPED
        if claim in (Claim.KNOWN, Claim.ANNOUNCED):
            self.done.add(call.call_sid)
        if claim not in (Claim.YOURS, Claim.LAST):
            return LiveEnding.LEFT
        return self._send(call, is_last=claim is Claim.LAST)

    def follow_up(self, live: set[str]) -> None:
        """Look up what became of calls whose reply was lost and that are not live any more.

        Raises:
            StoreUnavailable: a later look tries again.
        """
        for call_sid in self.unsure - live:
            try:
                if self.telephony.has_ended(self.account_sid, call_sid):
                    self._settle(call_sid, LiveOutcome.HUNG_UP)
            except (TwilioThrottled, TwilioUnavailable, TwilioRefused) as error:
                _log.info("live call …%s: %s; looking later", call_sid[-4:], error)

    def _send(self, call: LiveCall, *, is_last: bool) -> LiveEnding:
        call_sid = call.call_sid
        try:
            return self._read(call, self._ask(call), is_last=is_last)
        except TwilioThrottled as error:
            self.retry_after = error.retry_after
            self.store.put_back(self.account_sid, call_sid, spent=False)
            return LiveEnding.LATER
        except TwilioUnavailable as error:
            _log.info("live call …%s: %s", call_sid[-4:], error)
            return self._read(call, LiveReply.UNKNOWN, is_last=is_last)
        except TwilioRefused as error:
            if error.is_denial:
                self.store.put_back(self.account_sid, call_sid, spent=False)
                return LiveEnding.DENIED
            _log.error("live call …%s: %s", call_sid[-4:], error)
            return self._settle(call_sid, LiveOutcome.FAILED)

    def _ask(self, call: LiveCall) -> LiveReply | CancelReply:
        if self.url:
            return self.telephony.redirect(self.account_sid, call.call_sid, self.url)
        if call.status is CallStatus.RINGING:
            # Answered meanwhile, it may be on hold by now: `completed` would end it all the same.
            return self.telephony.cancel(self.account_sid, call.call_sid)
        return self.telephony.hang_up(self.account_sid, call.call_sid)

    def _read(self, call: LiveCall, reply: LiveReply | CancelReply, *, is_last: bool) -> LiveEnding:
        call_sid = call.call_sid
        if reply in (LiveReply.DONE, CancelReply.CANCELLED):
            return self._settle(call_sid, LiveOutcome.REDIRECTED if self.url else LiveOutcome.HUNG_UP)
        if reply in (LiveReply.OVER, CancelReply.GONE):
            return self._settle(call_sid, LiveOutcome.HUNG_UP if call_sid in self.unsure else None)
        if reply in (CancelReply.DIALLED, CancelReply.STILL_QUEUED) and not is_last:
            # Answered meanwhile: the next look sees it.
            self.store.put_back(self.account_sid, call_sid, spent=True)
            return LiveEnding.LEFT
        # A redirect that may have been carried out is not repeated: it would take people out of its TwiML.
        if self.url or is_last:
            return self._settle(call_sid, LiveOutcome.FAILED)
        self.unsure.add(call_sid)
        return LiveEnding.UNKNOWN

    def _settle(self, call_sid: str, outcome: LiveOutcome | None) -> LiveEnding:
        self.store.settle(self.account_sid, self.generation, call_sid, outcome)
        self.done.add(call_sid)
        self.unsure.discard(call_sid)
        return LiveEnding.SETTLED
