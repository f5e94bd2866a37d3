"""Event Streams' news of calls created by API: they have entered the queue.

https://www.twilio.com/docs/events/event-types/voice/call-api-request
"""

import base64
import json
import re
from collections.abc import Mapping
from enum import Enum
from typing import Annotated, Any

from pydantic import Field, StrictInt

from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent, CallStatus, is_in_rate_queue
from callguard.web.moments import QueueTime, Stale, counted_ms, unix_ms
from callguard.web.twilio.callback_fields import PATTERNS
from callguard.web.twilio.callback_parser import Ignored
from callguard.web.twilio.cloud_events import OTHER_ACCOUNT, EventPart, MalformedEvent, Text

_CALLS_URL = re.compile(r"/Accounts/(AC[0-9a-f]{32})/Calls(?:\.json)?/?(?:\?|$)")


class Skipped(Enum):
    """A true event that must not count, and why; for the reasons of callbacks see `Ignored`."""

    UNKNOWN_TYPE = "unknown_type"
    NOT_CREATED = "not_created"


class _Request(EventPart):
    url: Any = None
    parameters: Any = None


class _Response(EventPart):
    response_code: StrictInt | None = Field(None, alias="responseCode")
    body: Any = Field(None, alias="responseBody")


class _Creation(EventPart):
    sid: Any = None
    timestamp: Any = None
    request_date_created: Any = Field(None, alias="requestDateCreated")
    request: _Request | None = None
    response: _Response | None = None


class _CreationEvent(EventPart):
    time: Text | None = None
    data: _Creation


class _CreatedCall(EventPart):
    """A call that counts, by the names that codes have."""

    parent_call_sid: Text | None
    direction: Text | None
    call_sid: Annotated[Text, Field(pattern=f"^{PATTERNS['CallSid']}$")]
    parameters: dict[Any, Any] | None
    account_sid: Annotated[Text, Field(pattern=f"^{PATTERNS['AccountSid']}$")]
    queue_time: QueueTime
    date_created: Text
    from_: Text
    to: Text


def created_call(event: Any, account: Account, received_ms: int) -> CallEvent | Ignored | Skipped | Stale:
    """Return the news that a call has entered the queue.

    The event holds Twilio's answer to the script that made the call, which is read first. What it lacks is taken
    from what the script sent. Only the call's SID and its account must be there.

    Raises:
        MalformedEvent: `missing_…`, `bad_…` or `ambiguous_…` and the name of a field, or `other_account`.
    """
    read = _CreationEvent.read(event)
    response = read.data.response or _Response.read({})
    if (response.response_code or 0) >= 400:
        return Skipped.NOT_CREATED
    answered = _call_in(response.body)
    parent, direction = answered.get("parent_call_sid"), answered.get("direction")
    if isinstance(parent, str) and parent:
        return Ignored.CHILD_CALL
    if isinstance(direction, str) and not is_in_rate_queue(direction, None):
        return Ignored.OTHER_DIRECTION
    call = _CreatedCall.read(_best_known(read.data, answered))
    if answered.get("sid") not in (None, call.call_sid):
        raise MalformedEvent("ambiguous_call_sid")
    if call.account_sid != account.sid:
        raise MalformedEvent(OTHER_ACCOUNT)
    at_ms = counted_ms(_sent_ms(call.date_created, read.time, received_ms), received_ms)
    if isinstance(at_ms, Stale):
        return at_ms
    return account.hasher.of(call.from_, call.to).event(call.call_sid, CallStatus.QUEUED, at_ms, call.queue_time)


def _call_in(body: Any) -> dict[str, Any]:
    """Return the Call resource that Twilio has answered with, empty if it is none that we can read."""
    try:
        call = json.loads(base64.b64decode(body, validate=True)) if isinstance(body, str) else None
    except (ValueError, RecursionError):
        return {}
    return call if isinstance(call, dict) and "account_sid" in call else {}


def _best_known(data: _Creation, answered: Mapping[str, Any]) -> dict[str, Any]:
    """Return what the event says of the call; the best source counts where it says something twice."""
    request = data.request or _Request()
    sent = request.parameters if isinstance(request.parameters, dict) else {}
    in_url = _CALLS_URL.search(request.url) if isinstance(request.url, str) else None
    return {
        **{name: answered.get(name) for name in ("parent_call_sid", "direction", "queue_time")},
        "call_sid": data.sid,
        "parameters": request.parameters,
        "account_sid": _first(answered.get("account_sid"), sent.get("AccountSid"), in_url and in_url[1]),
        "date_created": _first(answered.get("date_created"), data.timestamp, data.request_date_created),
        "from_": _first(answered.get("from"), sent.get("From")),
        "to": _first(answered.get("to"), sent.get("To")),
    }


def _first(*told: Any) -> Any:
    for value in told:
        if value is not None and value != "":
            return value
    return ""


def _sent_ms(told: str, sent: str | None, received_ms: int) -> int:
    """Return when the call was created. Only the envelope may tell it, and not exactly."""
    try:
        return unix_ms(told or sent or "")
    except ValueError:
        if told:
            raise MalformedEvent("bad_timestamp") from None
        return received_ms
