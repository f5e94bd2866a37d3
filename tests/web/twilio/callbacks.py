"""Callbacks as Twilio sends them, and what stands in for the rest of CallGuard."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import urlencode

from flask import Flask
from flask.testing import FlaskClient
from twilio.request_validator import SIGNATURE_HEADER, RequestValidator
from werkzeug.test import TestResponse

from callguard.config.accounts import Account, SharedKey, SignatureAlgorithm
from callguard.domain.calls import CallEvent
from callguard.domain.policy import Policy
from callguard.errors import StoreUnavailable
from callguard.telephony.signature import CallbackAuthenticator
from callguard.web.twilio.status_callback_handler import StatusCallbackHandler
from callguard.web.twilio.status_callbacks import callbacks
from tests.frozen_clock import FrozenClock

SID, OTHER_SID, UNKNOWN_SID = "AC" + "a" * 32, "AC" + "b" * 32, "AC" + "c" * 28 + "dead"
CALL_SID = "CA" + "1" * 32
OLD_TOKEN, TOKEN, OTHER_TOKEN = "0" * 32, "1" * 32, "2" * 32
KEY = SharedKey("webhooks_sharedkey_1", "the key's secret")
SHA1_KEY = SharedKey("webhooks_sharedkey_2", "a weaker secret", SignatureAlgorithm.SHA1)
PUBLIC_URL = "https://guard.example.com"
URL = PUBLIC_URL + "/twilio/status"
NOW_MS = 1_790_000_000_500
ACCOUNTS = {
    SID: Account(SID, (OLD_TOKEN, TOKEN), (KEY, SHA1_KEY), Policy(never_cancel=("+15550009*",))),
    OTHER_SID: Account(OTHER_SID, (OTHER_TOKEN,)),
}


def timestamp(ms: int = NOW_MS) -> str:
    """Return a moment as Twilio writes it."""
    return format_datetime(datetime.fromtimestamp(ms // 1000, UTC))


def fields(**changes: str | None) -> dict[str, str]:
    """Return a callback's fields; a change to None leaves one out."""
    usual: dict[str, str | None] = {
        "AccountSid": SID,
        "ApiVersion": "2010-04-01",
        "CallSid": CALL_SID,
        "CallStatus": "initiated",
        "CallbackSource": "call-progress-events",
        "Called": "+15550002222",
        "CalledCity": "",
        "CalledCountry": "US",
        "Caller": "+15550001111",
        "CallerCity": "São Paulo",
        "Direction": "outbound-api",
        "From": "+15550001111",
        "FromCity": "São Paulo",
        "FromZip": "94105",
        "SequenceNumber": "0",
        "Timestamp": timestamp(),
        "To": "+15550002222",
        "ToCity": "",
        "ToCountry": "US",
    }
    return {name: value for name, value in {**usual, **changes}.items() if value is not None}


def signed(
    form: Mapping[str, str], *, url: str = URL, token: str = TOKEN, algorithm: str | None = None
) -> dict[str, str]:
    """Return the headers of a signature by the twilio library."""
    return {SIGNATURE_HEADER: RequestValidator(token).compute_signature(url, form, algorithm)}


@dataclass
class Services:
    """Records what would be taken and counted. `is_down` is a Redis that does not answer."""

    public_url: str = PUBLIC_URL
    accounts: Mapping[str, Account] = field(default_factory=lambda: ACCOUNTS)
    clock: FrozenClock = field(default_factory=lambda: FrozenClock(NOW_MS))
    is_down: bool = False
    taken: list[tuple[str, CallEvent]] = field(default_factory=list)
    refused: list[tuple[str, str]] = field(default_factory=list)
    told: list[tuple[str, str, str]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.authenticator = CallbackAuthenticator(self.public_url, self.accounts)

    def take_callback(self, account: Account, event: CallEvent) -> int:
        self._answer()
        self.taken.append((account.sid, event))
        return 1

    def refuse(self, account_sid: str, result: str) -> None:
        self._answer()
        self.refused.append((account_sid, result))

    def tell_dropped(self, account_sid: str, what: str, text: str) -> None:
        self._answer()
        self.told.append((account_sid, what, text))

    def _answer(self) -> None:
        if self.is_down:
            raise StoreUnavailable("no answer")

    def handler(self) -> StatusCallbackHandler:
        """Return what answers, with these services behind it."""
        return StatusCallbackHandler(
            self.accounts, self.authenticator, self.clock, self.take_callback, self.refuse, self.tell_dropped
        )

    def client(self) -> FlaskClient:
        """Return a client of an app that has the route."""
        app = Flask("test", static_folder=None)
        app.register_blueprint(callbacks(self.handler()))
        return app.test_client()


def post(
    client: FlaskClient,
    form: Mapping[str, str] | bytes,
    headers: Mapping[str, str] | list[tuple[str, str]],
    *,
    query: str = "",
    content_type: str = "application/x-www-form-urlencoded; charset=UTF-8",
    environ: Mapping[str, Any] | None = None,
) -> TestResponse:
    """Send a callback."""
    body = form if isinstance(form, bytes) else urlencode(form).encode()
    return client.post(
        "/twilio/status",
        data=body,
        headers=headers,
        content_type=content_type,
        environ_overrides={"QUERY_STRING": query, **(environ or {})},
    )


def get(client: FlaskClient, query: str, headers: Mapping[str, str]) -> TestResponse:
    """Send a callback with GET; `query` is sent as it is."""
    return client.get("/twilio/status", headers=headers, environ_overrides={"QUERY_STRING": query})
