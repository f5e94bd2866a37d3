"""What a batch of Event Streams says, once its signature is known to be good.

The envelope is a CloudEvent: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md.
Within it: https://www.twilio.com/docs/events/event-types/voice/call-api-request and
https://www.twilio.com/docs/events/event-types/voice/status-callback
"""

import json
import re
from collections.abc import Mapping
from typing import Any

from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent
from callguard.web.twilio.callback_fields import PATTERNS, REQUIRED, code_of
from callguard.web.twilio.callback_parser import Ignored, MalformedCallback, Stale, parse_callback
from callguard.web.twilio.created_calls import Skipped, created_call
from callguard.web.twilio.event_fields import OTHER_ACCOUNT, MalformedEvent, object_in, text_in

MAX_EVENTS = 1_000

CREATED = "com.twilio.voice.api-request.call.created"

# With `webhook.`: the deprecated names, which can still be subscribed to
# (https://www.twilio.com/docs/events/event-types/voice/call-progress-event).
_STATUS_CALLBACK = re.compile(
    r"com\.twilio\.voice\.(?:webhook\.)?status-callback\.call\.(?:initiated|ringing|answered|completed)"
)
_HALF_PAIR = re.compile(r"[\ud800-\udfff]")  # JSON can write half a surrogate pair, which no UTF-8 has


class MalformedBatch(MalformedEvent):
    """A body that holds no events at all."""


class TooManyEvents(MalformedBatch):
    """More than `MAX_EVENTS`."""


def read_batch(body: bytes) -> list[Any]:
    """Return the events as they came; a single object is a batch of one.

    Raises:
        MalformedBatch: `not_json` or `not_events`.
        TooManyEvents: `too_many_events`.
    """
    try:
        parsed = json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise MalformedBatch("not_json") from None
    batch = [parsed] if isinstance(parsed, dict) else parsed
    if not isinstance(batch, list):
        raise MalformedBatch("not_events")
    if len(batch) > MAX_EVENTS:
        raise TooManyEvents("too_many_events")
    return batch


def type_of(event: Any) -> str:
    """Return an event's type, empty where it has none."""
    said = event.get("type") if isinstance(event, dict) else None
    return said if isinstance(said, str) else ""


def news_of(event: Any, account: Account, received_ms: int) -> CallEvent | Ignored | Skipped | Stale:
    """Return the news that an event brings to the account that has signed it.

    Raises:
        MalformedEvent: a short code, such as `missing_call_sid`, or `other_account`.
    """
    if not isinstance(event, dict):
        raise MalformedEvent("not_an_object")
    _check_envelope(event)
    is_created = event["type"] == CREATED
    if not is_created and not _STATUS_CALLBACK.fullmatch(event["type"]):
        return Skipped.UNKNOWN_TYPE
    if event.get("data") is None:
        raise MalformedEvent("missing_data")
    data = object_in(event, "data")
    if is_created:
        return created_call(data, account, received_ms, text_in(event, "time"))
    return _progress(data, account, received_ms)


def _check_envelope(event: Mapping[str, Any]) -> None:
    for name in ("specversion", "type"):
        if not text_in(event, name):
            raise MalformedEvent(f"missing_{name}")
    if event["specversion"] != "1.0":
        raise MalformedEvent("bad_specversion")


def _progress(data: Mapping[str, Any], account: Account, received_ms: int) -> CallEvent | Ignored | Stale:
    """Read the status callback that is reported: its fields, as it has them, are the request's parameters."""
    fields = _fields(object_in(object_in(data, "request"), "parameters"))
    try:
        # The signature covers a hash of the whole body, so no border between fields can have been moved.
        news = parse_callback(fields, received_ms, account.hasher, signed_text=None)
    except MalformedCallback as error:
        raise MalformedEvent(error.code) from None
    if fields.get("AccountSid", account.sid) != account.sid:
        raise MalformedEvent(OTHER_ACCOUNT)
    if news is Ignored.OTHER_KIND:
        raise MalformedEvent(code_of("missing", next(name for name in REQUIRED if name not in fields)))
    if isinstance(news, CallEvent) and data.get("sid") not in (None, news.call_sid):
        raise MalformedEvent("ambiguous_call_sid")
    return news


def _fields(parameters: Mapping[str, Any]) -> dict[str, str]:
    """Return the parameters that decide something as a form would have them; null is as good as empty."""
    fields = {
        name: "" if parameters[name] is None else parameters[name] for name in PATTERNS if name in parameters
    }
    if not all(isinstance(value, str) and not _HALF_PAIR.search(value) for value in fields.values()):
        raise MalformedEvent("bad_parameters")
    return fields


def _refuse_constant(name: str) -> None:
    raise ValueError(name)  # NaN and infinities, which JSON does not have
