"""Answers that Twilio, or something between Twilio and us, may give."""

import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from callguard.config.accounts import Account
from callguard.ports import CancelReply, TwilioRefused, TwilioThrottled, TwilioUnavailable
from callguard.telephony.calls import TwilioCalls
from callguard.telephony.http_client import PooledHttpClient
from tests.calls import call_sid
from tests.conftest import ACCOUNT_SID

SID = call_sid(1)
Answer = tuple[int, dict[str, str], bytes]


class Scripted(ThreadingHTTPServer):
    """Gives the answers that it is told to, one by one, and remembers what it was sent."""

    answers: list[Answer]
    requests: list[tuple[str, str]]


class _Handler(BaseHTTPRequestHandler):
    server: Scripted

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.requests.append((f"{self.command} {self.path}", body.decode()))
        status, headers, content = self.server.answers.pop(0)
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(content))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(content)

    do_GET = do_POST = _answer  # noqa: N815  (the names that http.server calls)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@pytest.fixture
def twilio() -> Iterator[Scripted]:
    """A scripted Twilio."""
    server = Scripted(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.answers, server.requests = [], []
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def calls(twilio: Scripted) -> Iterator[TwilioCalls]:
    """The adapter, pointed at it."""
    client = PooledHttpClient(timeout=1.0)
    url = f"http://127.0.0.1:{twilio.server_port}"
    yield TwilioCalls({ACCOUNT_SID: Account(ACCOUNT_SID, ("a" * 32,))}, url, client)
    client.close()


def call(status: object, **more: object) -> bytes:
    return json.dumps({"sid": SID, "status": status, **more}).encode()


def error(code: int) -> bytes:
    return json.dumps({"code": code, "message": "about +15551234567", "status": 400}).encode()


@pytest.mark.parametrize(
    ("status", "reply"),
    [
        ("canceled", CancelReply.CANCELLED),
        ("queued", CancelReply.STILL_QUEUED),
        ("ringing", CancelReply.DIALLED),
        ("in-progress", CancelReply.DIALLED),
        ("completed", CancelReply.DIALLED),
        ("no-answer", CancelReply.DIALLED),
        ("a status of next year", CancelReply.DIALLED),
    ],
)
def test_only_the_status_in_the_reply_is_a_cancel(
    twilio: Scripted, calls: TwilioCalls, status: str, reply: CancelReply
) -> None:
    twilio.answers = [(200, {}, call(status))]

    assert calls.cancel(ACCOUNT_SID, SID) is reply
    assert twilio.requests == [(f"POST /2010-04-01/Accounts/{ACCOUNT_SID}/Calls/{SID}.json", "Status=canceled")]


@pytest.mark.parametrize(
    ("became", "reply"), [("canceled", CancelReply.CANCELLED), ("in-progress", CancelReply.DIALLED)]
)
def test_a_call_that_is_over_is_looked_at(
    twilio: Scripted, calls: TwilioCalls, became: str, reply: CancelReply
) -> None:
    twilio.answers = [(400, {}, error(21220)), (200, {}, call(became))]

    assert calls.cancel(ACCOUNT_SID, SID) is reply


def test_a_call_that_twilio_does_not_know_is_gone(twilio: Scripted, calls: TwilioCalls) -> None:
    twilio.answers = [(404, {}, error(20404)), (404, {}, error(20404))]

    assert calls.cancel(ACCOUNT_SID, SID) is CancelReply.GONE
    assert calls.look_up(ACCOUNT_SID, SID) is CancelReply.GONE


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((500, {}, b"oops"), id="500"),
        pytest.param((503, {}, b""), id="503 without a body"),
        pytest.param((200, {}, b"<html>a proxy's page</html>"), id="no JSON"),
        pytest.param((200, {}, call(None)), id="no status"),
    ],
)
def test_what_cannot_be_understood_is_unknown(twilio: Scripted, calls: TwilioCalls, answer: Answer) -> None:
    twilio.answers = [answer]

    with pytest.raises(TwilioUnavailable):
        calls.cancel(ACCOUNT_SID, SID)


@pytest.mark.parametrize(
    ("headers", "pause"), [({}, None), ({"Retry-After": "7"}, 7.0), ({"Retry-After": "x"}, None)]
)
def test_a_throttled_request_tells_how_long_to_wait(
    twilio: Scripted, calls: TwilioCalls, headers: dict[str, str], pause: float | None
) -> None:
    twilio.answers = [(429, headers, error(20429))]

    with pytest.raises(TwilioThrottled) as caught:
        calls.cancel(ACCOUNT_SID, SID)

    assert caught.value.retry_after == pause


def test_refused_credentials_are_a_denial_without_numbers(twilio: Scripted, calls: TwilioCalls) -> None:
    twilio.answers = [(401, {}, error(20003)), (401, {}, error(20003))]

    with pytest.raises(TwilioRefused) as cancelling:
        calls.cancel(ACCOUNT_SID, SID)
    with pytest.raises(TwilioRefused) as listing:
        list(calls.queued_calls(ACCOUNT_SID))

    assert cancelling.value.is_denial
    assert listing.value.is_denial
    assert "+1555" not in str(cancelling.value)


def test_a_list_may_hold_what_it_should_not(twilio: Scripted, calls: TwilioCalls) -> None:
    """Numbers for strings, dates that are none, calls that are not queued any more."""
    rows = [
        {"sid": call_sid(1), "status": "queued", "queue_time": 400, "date_created": "yesterday"},
        {"sid": call_sid(2), "status": "ringing", "queue_time": "0", "date_created": None},
        {"sid": call_sid(3), "status": "queued", "from": "+15550001111", "to": "client:jane"},
    ]
    page = {"calls": rows, "next_page_uri": None, "page": 0, "page_size": 1000, "uri": "/"}
    twilio.answers = [(200, {}, json.dumps(page).encode())]

    (listed,) = calls.queued_calls(ACCOUNT_SID)
    first, third = listed.calls

    assert listed.is_last

    assert (first.call_sid, first.queue_ms) == (call_sid(1), 400)
    assert first.created_ms > 0
    assert (third.from_number, third.to_number, third.queue_ms) == ("+15550001111", "client:jane", None)
