"""A call's creation and progress as CloudEvents.

https://www.twilio.com/docs/events/event-types/voice/call-api-request and
https://www.twilio.com/docs/events/event-types/voice/status-callback
"""

from base64 import b64encode
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from callguard.simulator.callbacks import callback_fields
from callguard.simulator.calls import Call, Progress
from callguard.simulator.config import CREATED, STATUS_CALLBACK
from callguard.simulator.dates import rfc2822
from callguard.simulator.resource import API_VERSION, call_json

_SCHEMA = "https://events-schemas.twilio.com/Voice.WebhookEvent/2"


def created_event(event_id: str, call: Call, account_sid: str) -> dict[str, Any]:
    """Return the event of a call that was created by API, with Twilio's answer to the request that did it."""
    parameters = {"To": call.order.to, "From": call.order.from_number, "Url": "https://example.com/twiml"}
    body = b64encode(call_json(call, account_sid, call.created_at).encode()).decode()
    response = {
        "responseCode": 201,
        "requestDuration": 40,
        "contentType": "application/json;charset=utf-8",
        "responseBody": body,
        "dateCreated": rfc2822(call.created_at),
    }
    url = f"https://api.twilio.com/{API_VERSION}/Accounts/{account_sid}/Calls.json"
    return _event(CREATED, event_id, call, call.created_at, _data(url, parameters, response))


def progress_event(event_id: str, progress: Progress, account_sid: str) -> dict[str, Any]:
    """Return the event of a status callback, with the callback's fields."""
    callback = progress.call.order.callback
    response = {"responseCode": 204, "requestDuration": 20, "dateCreated": rfc2822(progress.at)}
    data = _data(callback.url if callback else "", callback_fields(progress, account_sid), response)
    return _event(STATUS_CALLBACK + progress.event, event_id, progress.call, progress.at, data)


def _data(url: str, parameters: Mapping[str, str], response: Mapping[str, Any]) -> dict[str, Any]:
    return {"request": {"method": "POST", "url": url, "parameters": parameters}, "response": response}


def _event(kind: str, event_id: str, call: Call, at: float, data: Mapping[str, Any]) -> dict[str, Any]:
    moment = datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
    return {
        "specversion": "1.0",
        "type": kind,
        "source": "AB" + event_id[2:],  # not the account, in Twilio's examples neither
        "id": event_id,
        "dataschema": _SCHEMA,
        "datacontenttype": "application/json",
        "time": moment,
        "data": {
            "sid": call.sid,
            "requestDateCreated": rfc2822(at),
            "timestamp": moment,
            "eventSid": event_id,
            **data,
        },
    }
