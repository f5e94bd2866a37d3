"""One attempt to cancel one call."""

import logging
from dataclasses import dataclass
from enum import Enum

from callguard.domain.incidents import Outcome
from callguard.ports import (
    CancelReply,
    Clock,
    IncidentBook,
    StoreUnavailable,
    Telephony,
    TwilioRefused,
    TwilioThrottled,
    TwilioUnavailable,
)

_log = logging.getLogger(__name__)

_OUTCOMES = {
    CancelReply.CANCELLED: Outcome.CANCELLED,
    CancelReply.DIALLED: Outcome.DIALLED,
    CancelReply.GONE: Outcome.GONE,
}


class Ending(Enum):
    """How an attempt ended."""

    SETTLED = "settled"
    THROTTLED = "throttled"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    STOPPED = "stopped"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Result:
    """An attempt's ending. `retry_after` is Twilio's own wish in seconds, with THROTTLED only."""

    call_sid: str
    ending: Ending
    retry_after: float | None = None
    outcome: Outcome | None = None


@dataclass(frozen=True, slots=True)
class Canceller:
    """Cancels calls of one account in one generation; safe to use from many threads."""

    account_sid: str
    generation: int
    telephony: Telephony
    incidents: IncidentBook
    clock: Clock

    def attempt(self, call_sid: str, *, unsure: bool) -> Result:
        """Cancel the call, if the kill switch still allows it, and record what came of it.

        `unsure` marks a call whose last reply was lost: it is fetched first, and cancelled only if it is
        still queued. An attempt that could not be recorded counts as unknown, and is looked at again.
        """
        try:
            if not self.incidents.may_cancel(self.account_sid, self.generation):
                return Result(call_sid, Ending.STOPPED)
            return self._settled(call_sid, self._reply(call_sid, unsure=unsure))
        except TwilioThrottled as error:
            return Result(call_sid, Ending.THROTTLED, error.retry_after)
        except (TwilioUnavailable, StoreUnavailable) as error:
            _log.debug("call …%s: %s; will look again", call_sid[-4:], error)
        except TwilioRefused as error:
            return Result(call_sid, Ending.DENIED if error.is_denial else Ending.REFUSED)
        return Result(call_sid, Ending.UNKNOWN)

    def give_up(self, call_sid: str) -> None:
        """Record that Twilio will not have the call cancelled.

        Raises:
            StoreUnavailable: it stays in the mirror and will be tried again.
        """
        _log.error("call …%s cannot be cancelled: Twilio refuses each request for it", call_sid[-4:])
        now_ms = self.clock.now_ms()
        self.incidents.settle(self.account_sid, self.generation, call_sid, Outcome.FAILED, now_ms)

    def _reply(self, call_sid: str, *, unsure: bool) -> CancelReply:
        if unsure:
            reply = self.telephony.look_up(self.account_sid, call_sid)
            if reply is not CancelReply.STILL_QUEUED:
                return reply
        return self.telephony.cancel(self.account_sid, call_sid)

    def _settled(self, call_sid: str, reply: CancelReply) -> Result:
        outcome = _OUTCOMES.get(reply)
        if outcome is None:
            return Result(call_sid, Ending.UNKNOWN)
        self.incidents.settle(self.account_sid, self.generation, call_sid, outcome, self.clock.now_ms())
        return Result(call_sid, Ending.SETTLED, outcome=outcome)
