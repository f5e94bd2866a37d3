"""What Twilio's answers mean."""

from collections.abc import Iterator
from contextlib import contextmanager

from twilio.base.exceptions import TwilioException, TwilioRestException, TwilioServiceException
from twilio.http.response import Response
from twilio.rest.api.v2010.account.call import CallInstance

from callguard.domain.addresses import is_emergency
from callguard.domain.calls import CallStatus, is_in_rate_queue
from callguard.domain.replies import CancelReply
from callguard.errors import TwilioRefused, TwilioUnavailable

# Never `completed`: that would hang up on people who are talking.
CANCEL_STATUS = "canceled"

NOT_FOUND = 20404
"""Twilio's code for a SID that it does not know: https://www.twilio.com/docs/api/errors/20404"""

OVER = 21220
"""Its code for a call that is over, or otherwise not to be changed: https://www.twilio.com/docs/api/errors/21220"""


def reply_of(call: CallInstance) -> CancelReply:
    """Return what the status in an answer says of a cancel.

    Raises:
        ValueError: the answer has no status, or one that is new to us.
    """
    status = status_of(call.status)
    if status is None:
        raise ValueError("a status that is new to us: whether the call is queued is not known")
    if status is CallStatus.CANCELED:
        return CancelReply.CANCELLED
    return CancelReply.STILL_QUEUED if status is CallStatus.QUEUED else CancelReply.DIALLED


def seen_in(call: CallInstance) -> CancelReply:
    """Return what a call that was fetched has become, and of a queued one, why it is not to be cancelled.

    Raises:
        ValueError: as `reply_of` does.
    """
    reply = reply_of(call)
    if reply is not CancelReply.STILL_QUEUED:
        return reply
    if is_emergency(text_of(call.to)):
        return CancelReply.EMERGENCY
    return reply if is_in_rate_queue(call.direction, call.parent_call_sid) else CancelReply.OTHER_CALL


def gone_or_raised(error: TwilioRefused) -> CancelReply:
    """Return `GONE` where Twilio does not know the call; raise any other error."""
    if error.code == NOT_FOUND:
        return CancelReply.GONE
    raise error


def status_of(status: object) -> CallStatus | None:
    """Return Twilio's status; None for an unknown one."""
    if not isinstance(status, str):
        raise ValueError("an answer without a status")
    return next((known for known in CallStatus if known.value == status.strip().lower()), None)


_UNREADABLE = (ValueError, TypeError, LookupError, AttributeError, ArithmeticError, RecursionError)
"""The library's errors at JSON of an unexpected shape, or too deep to read."""

_NOT_READ = "Twilio's answer could not be read"


@contextmanager
def translated() -> Iterator[None]:
    """Turn the library's errors into our own; their texts may hold numbers, so only codes pass.

    Raises:
        TwilioRefused: Twilio has answered with an error.
        TwilioUnavailable: the answer cannot be read.
    """
    try:
        yield
    except (TwilioRestException, TwilioServiceException) as error:
        code, status = _code(error.code), _code(error.status)
        raise TwilioRefused(f"Twilio answered {status}, code {code}", code, status) from None
    except TwilioException as error:
        # A list that failed: the library gives the response as the second argument, and no code.
        response = error.args[1] if len(error.args) > 1 else None
        if not isinstance(response, Response):
            raise TwilioUnavailable(_NOT_READ) from None
        status = _code(response.status_code)
        advice = "; check TWILIO_AUTH_TOKEN (or TWILIO_API_KEY and _SECRET)" if status in (401, 403) else ""
        raise TwilioRefused(f"Twilio answered {status} to a list{advice}", 0, status) from None
    except _UNREADABLE as error:
        raise TwilioUnavailable(f"{_NOT_READ} ({type(error).__name__})") from None


def text_of(told: object) -> str:
    """Return a text of an answer; empty for any other type, which counts as missing."""
    return told if isinstance(told, str) else ""


def sid_of(told: object) -> str:
    """Return a SID of an answer.

    Raises:
        ValueError: there is none, so it is unknown which call the answer is about.
    """
    if not isinstance(told, str) or not told:
        raise ValueError("an answer without a SID")
    return told


def milliseconds_of(queue_time: object) -> int | None:
    """Return a `queue_time`, which is a number or a text of digits; None for anything else."""
    text = str(queue_time) if isinstance(queue_time, (str, int)) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 12 else None


def _code(told: object) -> int:
    """Return a code or a status of Twilio's; 0 for what is none."""
    text = str(told) if isinstance(told, (str, int)) else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 8 else 0
