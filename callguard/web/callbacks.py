"""`/twilio/status`: Twilio's status callbacks.

https://www.twilio.com/docs/voice/api/call-resource#statuscallback
"""

from flask import Blueprint, Response, request

from callguard.web.callback_services import CallbackServices
from callguard.web.reception import STATUS_PATH, Reception

__all__ = ["CallbackServices", "callbacks"]


def callbacks(services: CallbackServices) -> Blueprint:
    """Return `POST` and `GET /twilio/status`, and what answers 404 for all other paths below `/twilio/`.

    The answers: 204 empty for accepted, duplicate and ignored, also for callbacks about something else; 403
    empty for any doubt about the signature, and for one over another URL; 400 with a short code for signed but
    malformed; 413, 415; 503 with `Retry-After` when the store cannot answer, which Twilio repeats if the callback
    URL ends in `#rp=5xx` (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides).
    """
    blueprint = Blueprint("callbacks", __name__)
    reception = Reception(services)

    @blueprint.route(STATUS_PATH, methods=["GET", "POST"], provide_automatic_options=False)
    def twilio_status() -> Response:
        return reception.answer(request)

    @blueprint.route("/twilio/", defaults={"rest": ""}, methods=["GET", "POST"], provide_automatic_options=False)
    @blueprint.route("/twilio/<path:rest>", methods=["GET", "POST"], provide_automatic_options=False)
    @blueprint.route("/Twilio/<path:rest>", methods=["GET", "POST"], provide_automatic_options=False)
    def twilio_nowhere(rest: str) -> Response:
        if rest == "events":  # it is there, but takes POST only
            return Response(status=405, headers={"Allow": "POST"})
        return reception.answer_nowhere(request)

    return blueprint
