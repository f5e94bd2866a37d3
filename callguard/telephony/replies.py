"""What Twilio's answers about one call mean."""

from collections.abc import Iterator
from contextlib import contextmanager

from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.rest.api.v2010.account.call import CallInstance

from callguard.domain.calls import CallStatus
from callguard.ports import CancelReply, TwilioRefused, TwilioUnavailable

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


def status_of(status: object) -> CallStatus | None:
    """Return Twilio's status; None for one that is new to us."""
    if not isinstance(status, str):
        raise ValueError("an answer without a status")
    return next((known for known in CallStatus if known.value == status.strip().lower()), None)


@contextmanager
def translated() -> Iterator[None]:
    """Turn the library's errors into `TwilioRefused`; their texts may hold numbers, so only codes pass."""
    try:
        yield
    except TwilioRestException as error:
        raise TwilioRefused(
            f"Twilio answered {error.status}, code {error.code}", int(error.code or 0), error.status
        ) from None
    except TwilioException as error:
        # A list that failed: the library gives the response as the second argument, and no code.
        status = getattr(error.args[1], "status_code", 0) if len(error.args) > 1 else 0
        advice = "; check TWILIO_AUTH_TOKEN" if status in (401, 403) else ""
        raise TwilioRefused(f"Twilio answered {status} to a list{advice}", 0, status) from None
    except (ValueError, RecursionError):
        raise TwilioUnavailable("Twilio's answer could not be read") from None
