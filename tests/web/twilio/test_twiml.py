"""The TwiML that the guard serves: to redirected callers, and to the agents who answer them."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from callguard.config.accounts import Account
from callguard.config.urls import under
from callguard.domain.policy import LiveCalls, Policy
from callguard.errors import StoreUnavailable
from callguard.telephony.signature import AGENT_PATH, APOLOGY_PATH, CallbackAuthenticator
from callguard.web.twilio.twiml import TwimlHandler, twiml
from tests.frozen_clock import FrozenClock
from tests.web.twilio.callbacks import (
    CALL_SID,
    NOW_MS,
    OTHER_SID,
    OTHER_TOKEN,
    PUBLIC_URL,
    SID,
    TOKEN,
    fields,
    signed,
)

APOLOGY = Policy(live_calls=LiveCalls.REDIRECT, live_calls_message="Pardon <us> & stay calm.")
QUEUE = replace(APOLOGY, live_calls_queue="callers of 9.11")
ACCOUNTS = {
    SID: Account(SID, (TOKEN,), policy=QUEUE),
    OTHER_SID: Account(OTHER_SID, (OTHER_TOKEN,), policy=APOLOGY),
}
PATHS = [APOLOGY_PATH, AGENT_PATH]


class Services:
    """Notes which calls are left alone; a Redis that is away is `is_down`."""

    def __init__(self, public_url: str = PUBLIC_URL) -> None:
        self.public_url = public_url
        self.accounts: Mapping[str, Account] = ACCOUNTS
        self.clock = FrozenClock(NOW_MS)
        self.authenticator = CallbackAuthenticator(public_url, ACCOUNTS)
        self.is_down = False
        self.left: list[tuple[str, str]] = []

    def leave_alone(self, account_sid: str, call_sids: Sequence[str]) -> None:
        if self.is_down:
            raise StoreUnavailable("no answer")
        self.left += [(account_sid, call_sid) for call_sid in call_sids]

    def client(self) -> FlaskClient:
        app = Flask("test", static_folder=None)
        app.register_blueprint(
            twiml(TwimlHandler(self.accounts, self.authenticator, self.clock, self.leave_alone))
        )
        return app.test_client()


def ask(
    services: Services, path: str, *, token: str = TOKEN, method: str = "POST", **changes: Any
) -> TestResponse:
    """Send a request as Twilio does when a call wants TwiML."""
    form = fields(CallStatus="in-progress", **changes)
    url = under(services.public_url, path)
    query = url.partition("?")[2]
    if method == "GET":
        query = "&".join(filter(None, [query, urlencode(form)]))
        headers = signed({}, url=f"{url.partition('?')[0]}?{query}", token=token)
        return services.client().get(path, headers=headers, environ_overrides={"QUERY_STRING": query})
    headers = signed(form, url=url, token=token)
    return services.client().post(path, data=form, headers=headers, environ_overrides={"QUERY_STRING": query})


def verbs(answer: TestResponse) -> list[tuple[str, str]]:
    assert (answer.status_code, answer.mimetype) == (200, "text/xml")
    return [(verb.tag, verb.text or "") for verb in ElementTree.fromstring(answer.text)]  # noqa: S314


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("public_url", [PUBLIC_URL, f"{PUBLIC_URL}/guard/?tenant=7"])
def test_a_redirected_caller_is_put_on_hold(method: str, public_url: str) -> None:
    services = Services(public_url)

    answer = ask(services, APOLOGY_PATH, method=method)

    assert verbs(answer) == [("Say", "Pardon <us> & stay calm."), ("Enqueue", "callers of 9.11")]
    assert services.left == [(SID, CALL_SID)], "who is on hold is never touched again"


def test_without_a_queue_it_hangs_up_after_the_message() -> None:
    """Each account has its own policy."""
    answer = ask(Services(), APOLOGY_PATH, token=OTHER_TOKEN, AccountSid=OTHER_SID)

    assert verbs(answer) == [("Say", "Pardon <us> & stay calm."), ("Hangup", "")]


@pytest.mark.parametrize("method", ["POST", "GET"])
def test_an_agent_gets_one_caller_after_the_other(method: str) -> None:
    answer = ask(Services(), AGENT_PATH, method=method)

    assert [tag for tag, _ in verbs(answer)] == ["Say", "Dial", "Redirect"]
    document = ElementTree.fromstring(answer.text)  # noqa: S314
    assert document.findtext("Dial/Queue") == "callers of 9.11"
    assert not document.findtext("Redirect"), "to its own beginning"


def test_an_agent_without_a_queue_is_told_so() -> None:
    answer = ask(Services(), AGENT_PATH, token=OTHER_TOKEN, AccountSid=OTHER_SID)

    assert [tag for tag, _ in verbs(answer)] == ["Say", "Hangup"]


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize(
    "wrong",
    [
        {"token": OTHER_TOKEN},
        {"token": "f" * 32},
        {"token": OTHER_TOKEN, "method": "GET"},
        {"AccountSid": OTHER_SID},
        {"AccountSid": None},
        {"AccountSid": "AC" + "9" * 32},
    ],
)
def test_a_stranger_is_answered_403(path: str, wrong: dict[str, Any]) -> None:
    services = Services()

    answer = ask(services, path, **wrong)

    assert (answer.status_code, answer.data) == (403, b"")
    assert services.left == []


@pytest.mark.parametrize("path", PATHS)
def test_a_signature_is_good_for_its_own_path_only(path: str) -> None:
    form = fields()
    other = next(one for one in PATHS if one != path)

    for signed_path in (other, "/twilio/status"):
        headers = signed(form, url=PUBLIC_URL + signed_path)
        assert Services().client().post(path, data=form, headers=headers).status_code == 403


@pytest.mark.parametrize(
    ("data", "content_type"),
    [(b"x" * 20_000, "application/x-www-form-urlencoded"), (b"{}", "application/json"), (b"", ""), (b"a=%ff", "")],
)
def test_what_cannot_be_read_is_answered_403(data: bytes, content_type: str) -> None:
    assert Services().client().post(APOLOGY_PATH, data=data, content_type=content_type).status_code == 403


def test_callers_are_answered_while_redis_is_away(caplog: pytest.LogCaptureFixture) -> None:
    services = Services()
    services.is_down = True

    assert verbs(ask(services, APOLOGY_PATH))[0][0] == "Say"
    assert CALL_SID not in caplog.text


@pytest.mark.parametrize("call_sid", [None, "", "CA1", "CA" + "x" * 32])
def test_only_what_is_a_call_is_noted(call_sid: str | None) -> None:
    services = Services()

    assert verbs(ask(services, APOLOGY_PATH, CallSid=call_sid))
    assert services.left == []
