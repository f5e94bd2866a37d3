"""`/twilio/status`: Twilio's status callbacks.

https://www.twilio.com/docs/voice/api/call-resource#statuscallback
"""

from flask import Blueprint, Response, request

from callguard.web.callback_services import CallbackServices
from callguard.web.reception import Reception

__all__ = ["CallbackServices", "callbacks"]

STATUS_PATH = "/twilio/status"


def callbacks(services: CallbackServices) -> Blueprint:
    """Return `POST` and `GET /twilio/status`.

    The answers: 204 empty for accepted, duplicate and ignored; 403 empty for any doubt about the signature; 400
    with a short code for signed but malformed; 413, 415; 503 with `Retry-After` when the store cannot answer,
    which Twilio repeats if the callback URL ends in `#rp=5xx`
    (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides).
    """
    blueprint = Blueprint("callbacks", __name__)
    reception = Reception(services)

    @blueprint.route(STATUS_PATH, methods=["GET", "POST"], provide_automatic_options=False)
    def twilio_status() -> Response:
        return reception.answer(request)

    return blueprint
