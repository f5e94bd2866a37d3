"""`/twilio/events`: the webhook sink of Twilio's Event Streams.

https://www.twilio.com/docs/events/webhook-quickstart
"""

from flask import Blueprint, Response, request

from callguard.web.twilio.event_stream_handler import EVENTS_PATH, EventStreamHandler


def events(handler: EventStreamHandler) -> Blueprint:
    """Return `POST /twilio/events`.

    The answers: 200 with what was counted, and short codes for events that were malformed, whose good neighbours
    are counted all the same; 400 with a code for what is no batch of events; 403 empty for any doubt about the
    signature; 413, 415; 503 with `Retry-After` when the store cannot answer. Twilio repeats a batch that was
    answered 5xx or 429, or not at all, for up to four hours
    (https://www.twilio.com/docs/events/event-delivery-and-duplication); no phase of a call counts twice.
    """
    blueprint = Blueprint("events", __name__)

    @blueprint.route(EVENTS_PATH, methods=["POST"], provide_automatic_options=False)
    def twilio_events() -> Response:
        return handler.answer(request)

    return blueprint
