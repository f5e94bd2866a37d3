"""`PUT /api/call/cancel/<call SID>`: cancel one call that is still queued."""

import math

from flask import Response, g

from callguard.cancel.single_cancel import SingleCancel, Verdict
from callguard.errors import TwilioRefused, TwilioThrottled, TwilioUnavailable
from callguard.web.api.cancel_views import ANSWERS, NO_CALL_ID, CancelAnswer
from callguard.web.api.error_answers import BASE_PATH, Refused
from callguard.web.api.routes import Route, answer

CANCEL_PATH = f"{BASE_PATH}/call/cancel"
_MAX_WAIT_SECONDS = 60.0

_REFUSALS = {
    Verdict.EMERGENCY: (
        "emergency_call",
        "the call is to an emergency number, and CallGuard never cancels one; if it must end, end it in Twilio's "
        "Console",
    ),
    Verdict.OTHER_CALL: (
        "not_outbound_api",
        "no API request has made the call (it is inbound, or a leg of another), so it does not wait in the rate "
        "queue; if it must end, end it in Twilio's Console",
    ),
}


def cancels(single_cancel: SingleCancel) -> list[Route]:
    """Return the routes that cancel one call."""

    def cancel_call(call_sid: str) -> Response:
        if not call_sid.strip():
            return answer(NO_CALL_ID)
        try:
            verdict = single_cancel.cancel(call_sid, g.caller.name)
        except TwilioThrottled as error:
            message = "Twilio has too many requests at once; try again: to ask twice does no harm"
            raise _later("throttled", message, error.retry_after or 1.0) from None
        except TwilioUnavailable:
            message = "Twilio gave no clear answer: the call may or may not be cancelled; try again"
            raise _later("twilio_unavailable", message, 1.0) from None
        except TwilioRefused as error:
            message = (
                "Twilio refuses the guard's request; `callguard check` says whether its credentials are right"
            )
            raise Refused(502, "twilio_refused", message) from error
        if verdict in _REFUSALS:
            raise Refused(409, *_REFUSALS[verdict])
        return answer(ANSWERS[verdict])

    def cancel_nothing() -> Response:
        return answer(NO_CALL_ID)

    return [
        Route(
            name="cancel_call",
            method="PUT",
            path=f"{CANCEL_PATH}/<call_sid>",
            tag="calls",
            summary="Cancel one call, if it is still queued: never one that rings or talks. A person names it, so "
            "never_cancel, campaigns, observe and a pause do not protect it. What came of it is in responseCode. "
            "Calls to emergency numbers, and calls that no API request has made, are refused with 409.",
            view=cancel_call,
            reply=CancelAnswer,
            refusals=(409, 502),
        ),
        *(
            Route(
                name=name,
                method="PUT",
                path=path,
                tag="calls",
                summary="Answers that the call's SID is missing.",
                view=cancel_nothing,
                reply=CancelAnswer,
            )
            for name, path in (("cancel_no_call", CANCEL_PATH), ("cancel_empty_call", f"{CANCEL_PATH}/"))
        ),
    ]


def _later(code: str, message: str, seconds: float) -> Refused:
    wait = math.ceil(min(max(seconds, 1.0), _MAX_WAIT_SECONDS))
    return Refused(503, code, message, headers={"Retry-After": str(wait)})
