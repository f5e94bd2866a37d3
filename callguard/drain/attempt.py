"""One attempt to cancel one call."""

import logging
from dataclasses import dataclass
from enum import Enum

from callguard.domain.incidents import Outcome
from callguard.ports import CallCanceller, CancelReply, TwilioRefused, TwilioThrottled, TwilioUnavailable

_log = logging.getLogger(__name__)

LEAST_CODE = 10_000
"""Twilio's error codes have five digits: https://www.twilio.com/docs/api/errors"""

_OUTCOMES = {
    CancelReply.CANCELLED: Outcome.CANCELLED,
    CancelReply.DIALLED: Outcome.DIALLED,
    CancelReply.GONE: Outcome.GONE,
}


class Ending(Enum):
    """How an attempt ended."""

    SETTLED = "settled"
    THROTTLED = "throttled"
    QUEUED = "still queued"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Result:
    """An attempt's ending.

    Attributes:
        call_sid: whose it is.
        ending: how it ended.
        outcome: what has become of the call; with SETTLED only.
        retry_after: Twilio's own wish in seconds; with THROTTLED only.
    """

    call_sid: str
    ending: Ending
    outcome: Outcome | None = None
    retry_after: float | None = None


async def attempt(canceller: CallCanceller, account_sid: str, call_sid: str, *, unsure: bool) -> Result:
    """Cancel the call and return what came of it.

    `unsure` marks a call whose last reply was lost: it is fetched first, and cancelled only if it is still queued.
    """
    try:
        outcome = _OUTCOMES.get(await _reply(canceller, account_sid, call_sid, unsure=unsure))
        return Result(call_sid, Ending.SETTLED if outcome else Ending.QUEUED, outcome)
    except TwilioThrottled as error:
        return Result(call_sid, Ending.THROTTLED, retry_after=error.retry_after)
    except TwilioRefused as error:
        if error.is_denial:
            return Result(call_sid, Ending.DENIED)
        # Without a code of its own it was not Twilio's API that answered, or not to the request.
        return Result(call_sid, Ending.REFUSED if error.code >= LEAST_CODE else Ending.UNKNOWN)
    except TwilioUnavailable as error:
        _log.debug("call …%s: %s; will look again", call_sid[-4:], error)
    except Exception:
        _log.exception("an attempt failed")
    return Result(call_sid, Ending.UNKNOWN)


async def _reply(canceller: CallCanceller, account_sid: str, call_sid: str, *, unsure: bool) -> CancelReply:
    if unsure:
        reply = await canceller.look_up(account_sid, call_sid)
        if reply is not CancelReply.STILL_QUEUED:
            return reply
    return await canceller.cancel(account_sid, call_sid)
