"""Batches as Event Streams sends them, and what stands in for the rest of CallGuard.

The shapes are those of https://www.twilio.com/docs/events/event-types/voice/call-api-request.
"""

import base64
import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from flask.testing import FlaskClient
from twilio.request_validator import SIGNATURE_HEADER, RequestValidator
from werkzeug.test import TestResponse

from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent
from callguard.domain.results import ReportResult, ReportSource
from callguard.errors import StoreUnavailable
from callguard.telephony.signature import CallbackAuthenticator
from callguard.web.twilio.event_streams import EventStreamHandler, events
from callguard.web.twilio.form import MAX_BODY_BYTES
from tests.frozen_clock import FrozenClock
from tests.web.twilio.callbacks import ACCOUNTS, CALL_SID, NOW_MS, PUBLIC_URL, SID, TOKEN, fields, timestamp

EVENTS_URL = PUBLIC_URL + "/twilio/events"
CREATED = "com.twilio.voice.api-request.call.created"
INITIATED = "com.twilio.voice.status-callback.call.initiated"


def call(**changes: Any) -> dict[str, Any]:
    """Return the Call resource that Twilio answers a creation with."""
    return {
        "sid": CALL_SID,
        "account_sid": SID,
        "from": "+15550001111",
        "to": "+15550002222",
        "status": "queued",
        "direction": "outbound-api",
        "date_created": timestamp(),
        "queue_time": "1500",
        "parent_call_sid": None,
        **changes,
    }


def base64_json(value: object) -> str:
    """Return a JSON text as `responseBody` has it."""
    return base64.b64encode(json.dumps(value).encode()).decode()


def event(kind: str, data: Mapping[str, Any], **changes: Any) -> dict[str, Any]:
    """Return an event in its envelope; a change to None leaves a member out."""
    envelope: dict[str, Any] = {
        "specversion": "1.0",
        "type": kind,
        "source": "AB00000000000000000000000000000001",
        "id": "VW" + "2" * 32,
        "dataschema": "https://events-schemas.twilio.com/Voice.WebhookEvent/2",
        "datacontenttype": "application/json",
        "time": "2026-09-21T14:13:20.000Z",
        "data": dict(data),
        **changes,
    }
    return {name: value for name, value in envelope.items() if value is not None}


def created(response_call: object = None, **data: Any) -> dict[str, Any]:
    """Return the event of a created call, whose answer holds `response_call`."""
    usual: dict[str, Any] = {
        "sid": CALL_SID,
        "timestamp": "2026-09-21T14:13:20.000Z",
        "eventSid": "VW" + "2" * 32,
        "request": {
            "method": "POST",
            "url": f"https://api.twilio.com/2010-04-01/Accounts/{SID}/Calls.json",
            "parameters": {"From": "+15550001111", "To": "+15550002222", "Twiml": "<Response/>"},
        },
        "response": {
            "responseCode": 201,
            "requestDuration": 40,
            "contentType": "application/json",
            "responseBody": base64_json(call() if response_call is None else response_call),
        },
        **data,
    }
    return event(CREATED, {name: value for name, value in usual.items() if value is not None})


def progressed(kind: str = INITIATED, sid: str | None = CALL_SID, **changes: Any) -> dict[str, Any]:
    """Return the event of a status callback."""
    parameters: dict[str, Any] = {**fields(), **changes}
    return event(kind, {"sid": sid, "request": {"method": "POST", "url": "https://x/", "parameters": parameters}})


@dataclass
class EventServices:
    """Records what would be taken and counted; each phase of a call is news once."""

    public_url: str = PUBLIC_URL
    accounts: Mapping[str, Account] = field(default_factory=lambda: ACCOUNTS)
    clock: FrozenClock = field(default_factory=lambda: FrozenClock(NOW_MS))
    is_down: bool = False
    taken: list[CallEvent] = field(default_factory=list)
    takers: list[str] = field(default_factory=list)
    refused: list[tuple[str, str, str]] = field(default_factory=list)
    told: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.authenticator = CallbackAuthenticator(self.public_url, self.accounts)
        self.client = self._client()

    def take(self, account: Account, events: Sequence[CallEvent], reporter: ReportSource) -> int:
        assert reporter is ReportSource.EVENT_STREAMS
        self._answer()
        self.takers.append(account.sid)
        known = {(one.call_sid, one.status) for one in self.taken}
        news = {(one.call_sid, one.status) for one in events} - known
        self.taken += events
        return len(news)

    def refuse(self, account_sid: str, reporter: ReportSource, result: ReportResult) -> None:
        self._answer()
        self.refused.append((account_sid, reporter.value, result.value))

    def tell_dropped(self, account_sid: str, what: str, text: str) -> None:
        self._answer()
        self.told.append((account_sid, what, text))

    def _answer(self) -> None:
        if self.is_down:
            raise StoreUnavailable("no answer")

    def _client(self) -> FlaskClient:
        """Return a client of an app that has the route, and the small limit that is for the callbacks."""
        app = Flask("test", static_folder=None)
        app.config["MAX_CONTENT_LENGTH"] = MAX_BODY_BYTES
        who = self.accounts, self.authenticator, self.clock
        app.register_blueprint(events(EventStreamHandler(*who, self, self.tell_dropped)))
        return app.test_client()


def query_of(body: bytes, configured: str = "") -> str:
    """Return the query with the body's hash."""
    return (f"{configured}&" if configured else "") + f"bodySHA256={hashlib.sha256(body).hexdigest()}"


def json_signed(
    query: str, *, url: str = EVENTS_URL, token: str = TOKEN, algorithm: str | None = None
) -> dict[str, str]:
    """Return the headers of a signature by the twilio library."""
    return {SIGNATURE_HEADER: RequestValidator(token).compute_signature(f"{url}?{query}", {}, algorithm)}


def send(
    services: EventServices,
    batch: object,
    *,
    token: str = TOKEN,
    content_type: str = "application/json; charset=UTF-8",
    headers: Mapping[str, str] | None = None,
    environ: Mapping[str, Any] | None = None,
) -> TestResponse:
    """Send a batch, signed; bytes go as they are."""
    body = batch if isinstance(batch, bytes) else json.dumps(batch).encode()
    query = query_of(body)
    return services.client.post(
        "/twilio/events",
        data=body,
        headers=json_signed(query, token=token) if headers is None else headers,
        content_type=content_type,
        environ_overrides={"QUERY_STRING": query, **(environ or {})},
    )
