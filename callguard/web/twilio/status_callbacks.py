"""`/twilio/status`: Twilio's status callbacks.

https://www.twilio.com/docs/voice/api/call-resource#statuscallback
"""

from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING, Any

from flask import Blueprint, Response, request
from flask.sansio.blueprints import BlueprintSetupState

from callguard.web.twilio.status_callback_handler import STATUS_PATH, Answer, StatusCallbackHandler

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment


def callbacks(handler: StatusCallbackHandler) -> Blueprint:
    """Return `POST` and `GET /twilio/status`, and what answers 404 for all other paths below `/twilio/`.

    The answers: 204 empty for accepted, duplicate and ignored, also for callbacks about something else; 403
    empty for any doubt about the signature, and for one over another URL; 400 with a short code for signed but
    malformed; 413, 415; 503 with `Retry-After` when the store cannot answer, which Twilio repeats if the callback
    URL ends in `#rp=5xx` (https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides).

    An app that it is registered with answers POSTs to `/twilio/status` before Flask routes them.
    """
    blueprint = Blueprint("callbacks", __name__)
    blueprint.record(partial(_shorten_way, handler))

    @blueprint.route(STATUS_PATH, methods=["GET", "POST"], provide_automatic_options=False)
    def twilio_status() -> Response:
        return _response(handler.answer(request.environ))

    @blueprint.route("/twilio/", defaults={"rest": ""}, methods=["GET", "POST"], provide_automatic_options=False)
    @blueprint.route("/twilio/<path:rest>", methods=["GET", "POST"], provide_automatic_options=False)
    @blueprint.route("/Twilio/<path:rest>", methods=["GET", "POST"], provide_automatic_options=False)
    def twilio_nowhere(rest: str) -> Response:
        if rest == "events":  # it is there, but takes POST only
            return Response(status=405, headers={"Allow": "POST"})
        return _response(handler.answer_nowhere(request.path, request.environ))

    return blueprint


def _shorten_way(handler: StatusCallbackHandler, state: BlueprintSetupState) -> None:
    """Answer before Flask's routing, which costs more than to verify a callback, and is not needed here."""
    app: Any = state.app  # a Flask, though its base class is what is declared
    by_flask: WSGIApplication = app.wsgi_app

    def answer(environ: "WSGIEnvironment", start_response: "StartResponse") -> Iterable[bytes]:
        if environ.get("PATH_INFO") == STATUS_PATH and environ["REQUEST_METHOD"] == "POST":
            status, headers, body = handler.answer(environ)
            start_response(status, headers)
            return [body]
        return by_flask(environ, start_response)

    app.wsgi_app = answer


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, answer.headers)
