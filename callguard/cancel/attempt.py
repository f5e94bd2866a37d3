"""One attempt to cancel one call."""

import logging
from dataclasses import dataclass
from enum import Enum

from callguard.cancel.needs import CallCanceller
from callguard.domain.replies import CancelReply
from callguard.domain.tally import Outcome
from callguard.errors import TwilioRefused, TwilioThrottled, TwilioUnavailable

_log = logging.getLogger(__name__)

MIN_CODE = 10_000
"""Twilio's error codes have five digits: https://www.twilio.com/docs/api/errors"""

_OUTCOMES = {
    CancelReply.CANCELLED: Outcome.CANCELLED,
    CancelReply.DIALLED: Outcome.DIALLED,
    CancelReply.GONE: Outcome.GONE,
    CancelReply.EMERGENCY: Outcome.PROTECTED,
    CancelReply.OTHER_CALL: Outcome.PROTECTED,
}


class Ending(Enum):
    """How an attempt ended."""

    SETTLED = "settled"
    THROTTLED = "throttled"
    QUEUED = "still queued"
    LOOKED = "looked at, and still queued"
    UNKNOWN = "unknown"
    REFUSED = "refused"
    DENIED = "denied"


@dataclass(frozen=True, slots=True)
class Result:
    """An attempt's ending.

    Attributes:
        call_sid: the call.
        ending: how it ended.
        outcome: what has become of the call; with SETTLED only.
        retry_after: the pause that Twilio asks for, in seconds; with THROTTLED only.
        concurrent: how many requests of the whole account were under way, if Twilio says so; with THROTTLED only.
    """

    call_sid: str
    ending: Ending
    outcome: Outcome | None = None
    retry_after: float | None = None
    concurrent: int | None = None


async def attempt(canceller: CallCanceller, account_sid: str, call_sid: str, *, unsure: bool) -> Result:
    """Send one request for the call and return what came of it.

    `unsure` marks a call whose last reply was lost. Such a call is fetched, not cancelled. If it is still queued,
    the attempt ends (`LOOKED`), so that the kill switch is read again before the next.
    """
    try:
        ask = canceller.look_up if unsure else canceller.cancel
        outcome = _OUTCOMES.get(await ask(account_sid, call_sid))
        if outcome is None:
            return Result(call_sid, Ending.LOOKED if unsure else Ending.QUEUED)
        return Result(call_sid, Ending.SETTLED, outcome)
    except TwilioThrottled as error:
        return Result(call_sid, Ending.THROTTLED, None, error.retry_after, error.concurrent)
    except TwilioRefused as error:
        if error.is_denial:
            return Result(call_sid, Ending.DENIED)
        # Without an error code of Twilio's, something else answered, or Twilio's API did not process the request.
        return Result(call_sid, Ending.REFUSED if error.code >= MIN_CODE else Ending.UNKNOWN)
    except TwilioUnavailable as error:
        _log.debug("call …%s: %s; will look again", call_sid[-4:], error)
    except Exception:
        _log.exception("an attempt failed")
    return Result(call_sid, Ending.UNKNOWN)
