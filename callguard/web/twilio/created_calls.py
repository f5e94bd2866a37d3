"""What Event Streams says of a call that was created by API: its entrance to the queue.

https://www.twilio.com/docs/events/event-types/voice/call-api-request
"""

import base64
import json
import re
from collections.abc import Mapping
from enum import Enum
from typing import Any

from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent, CallStatus, is_in_rate_queue
from callguard.domain.drain_time import MAX_QUEUE_MS
from callguard.web.twilio.callback_fields import PATTERNS
from callguard.web.twilio.callback_parser import FRESH_MS, MAX_AHEAD_MS, STALE_MS, Ignored, Stale
from callguard.web.twilio.event_fields import OTHER_ACCOUNT, MalformedEvent, object_in, sent_ms, text_in

_ACCOUNT_SID, _CALL_SID = re.compile(PATTERNS["AccountSid"]), re.compile(PATTERNS["CallSid"])
_CALLS_URL = re.compile(r"/Accounts/(AC[0-9a-f]{32})/Calls(?:\.json)?/?(?:\?|$)")


class Skipped(Enum):
    """A true event that must not count, and why; for the reasons of callbacks see `Ignored`."""

    UNKNOWN_TYPE = "unknown_type"
    NOT_CREATED = "not_created"


def created_call(
    data: Mapping[str, Any], account: Account, received_ms: int, sent: str = ""
) -> CallEvent | Ignored | Skipped | Stale:
    """Return the news that a call has entered the queue. `sent` is the envelope's `time`, if it has one.

    Twilio's answer to the script that made the call is within the event, and is believed first; what it lacks
    is looked for in what the script sent. Only the call's SID and its account must be there.

    Raises:
        MalformedEvent: `missing_…`, `bad_…` or `ambiguous_…` and the name of a field, or `other_account`.
    """
    request, response = object_in(data, "request"), object_in(data, "response")
    if _has_failed(response):
        return Skipped.NOT_CREATED
    parameters, call = object_in(request, "parameters"), _call_in(response)
    if text_in(call, "parent_call_sid"):
        return Ignored.CHILD_CALL
    if not is_in_rate_queue(text_in(call, "direction"), None):
        return Ignored.OTHER_DIRECTION
    call_sid = _call_sid(data, call)
    if _account_sid(call, parameters, text_in(request, "url")) != account.sid:
        raise MalformedEvent(OTHER_ACCOUNT)
    queue_ms = _queue_ms(call.get("queue_time"))
    sent_ms = _created_ms(call, data, sent, received_ms)
    if received_ms - sent_ms > STALE_MS or sent_ms - received_ms > MAX_AHEAD_MS:
        return Stale(sent_ms - received_ms)
    parties = account.hasher.of(
        text_in(call, "from") or text_in(parameters, "From"), text_in(call, "to") or text_in(parameters, "To")
    )
    return CallEvent(
        call_sid,
        CallStatus.QUEUED,
        sent_ms if received_ms - sent_ms > FRESH_MS else received_ms,
        parties.spared,
        parties.sender,
        parties.sender_shown,
        parties.destination,
        queue_ms,
        protected=parties.protected,
    )


def _has_failed(response: Mapping[str, Any]) -> bool:
    code = response.get("responseCode")
    if code is not None and type(code) is not int:
        raise MalformedEvent("bad_response_code")
    return code is not None and code >= 400


def _call_in(response: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return the Call resource that Twilio has answered with, empty if it is none that we can read."""
    body = response.get("responseBody")
    try:
        call = json.loads(base64.b64decode(body, validate=True)) if isinstance(body, str) else None
    except (ValueError, RecursionError):
        return {}
    return call if isinstance(call, dict) and "account_sid" in call else {}


def _call_sid(data: Mapping[str, Any], call: Mapping[str, Any]) -> str:
    call_sid = text_in(data, "sid", "CallSid")
    if not call_sid:
        raise MalformedEvent("missing_call_sid")
    if not _CALL_SID.fullmatch(call_sid):
        raise MalformedEvent("bad_call_sid")
    if call.get("sid") not in (None, call_sid):
        raise MalformedEvent("ambiguous_call_sid")
    return call_sid


def _account_sid(call: Mapping[str, Any], parameters: Mapping[str, Any], url: str) -> str:
    named = text_in(call, "account_sid") or text_in(parameters, "AccountSid")
    in_url = _CALLS_URL.search(url)
    account_sid = named or (in_url[1] if in_url else "")
    if not account_sid:
        raise MalformedEvent("missing_account_sid")
    if not _ACCOUNT_SID.fullmatch(account_sid):
        raise MalformedEvent("bad_account_sid")
    return account_sid


def _queue_ms(told: object) -> int | None:
    if told is None or told == "":
        return None
    if type(told) is not int and not (isinstance(told, str) and re.fullmatch("[0-9]{1,9}", told)):
        raise MalformedEvent("bad_queue_time")
    queue_ms = int(told)
    if not 0 <= queue_ms <= MAX_QUEUE_MS:
        raise MalformedEvent("bad_queue_time")
    return queue_ms


def _created_ms(call: Mapping[str, Any], data: Mapping[str, Any], sent: str, received_ms: int) -> int:
    """Return when the call was created. Twilio's answer may lack `date_created`, and all else may be missing."""
    told = text_in(call, "date_created") or text_in(data, "timestamp") or text_in(data, "requestDateCreated")
    if told:
        return sent_ms(told)
    try:
        return sent_ms(sent)
    except MalformedEvent:  # nothing of the call itself
        return received_ms
