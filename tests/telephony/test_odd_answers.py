"""Answers that Twilio, or something between Twilio and us, may give."""

import asyncio
import json
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from callguard.config.accounts import Account
from callguard.domain.replies import CancelReply
from callguard.errors import TwilioRefused, TwilioThrottled, TwilioUnavailable
from callguard.telephony.calls import TwilioCalls
from callguard.telephony.cancelling import TwilioCanceller
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


class Blocking:
    """The sweep's canceller, asked for one thing at a time."""

    def __init__(self, url: str) -> None:
        self.url = url

    def cancel(self, account_sid: str, sid: str) -> CancelReply:
        async def ask() -> CancelReply:
            async with self._canceller() as canceller:
                return await canceller.cancel(account_sid, sid)

        return asyncio.run(ask())

    def look_up(self, account_sid: str, sid: str) -> CancelReply:
        async def ask() -> CancelReply:
            async with self._canceller() as canceller:
                return await canceller.look_up(account_sid, sid)

        return asyncio.run(ask())

    def _canceller(self) -> TwilioCanceller:
        accounts = {ACCOUNT_SID: Account(ACCOUNT_SID, ("a" * 32,))}
        return TwilioCanceller(accounts, self.url, timeout=1.0)


Adapter = TwilioCalls | Blocking


@pytest.fixture(params=["one by one", "of a sweep"])
def adapter(request: pytest.FixtureRequest, twilio: Scripted, calls: TwilioCalls) -> Adapter:
    """Both ways to cancel a call."""
    return calls if request.param == "one by one" else Blocking(f"http://127.0.0.1:{twilio.server_port}")


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
        (" Canceled", CancelReply.CANCELLED),
    ],
)
def test_only_the_status_in_the_reply_is_a_cancel(
    twilio: Scripted, adapter: Adapter, status: str, reply: CancelReply
) -> None:
    twilio.answers = [(200, {}, call(status))]

    assert adapter.cancel(ACCOUNT_SID, SID) is reply
    assert twilio.requests == [(f"POST /2010-04-01/Accounts/{ACCOUNT_SID}/Calls/{SID}.json", "Status=canceled")]


@pytest.mark.parametrize(
    ("became", "reply"), [("canceled", CancelReply.CANCELLED), ("in-progress", CancelReply.DIALLED)]
)
def test_a_call_that_is_over_is_looked_at(
    twilio: Scripted, adapter: Adapter, became: str, reply: CancelReply
) -> None:
    twilio.answers = [(400, {}, error(21220)), (200, {}, call(became))]

    assert adapter.cancel(ACCOUNT_SID, SID) is reply


def test_a_call_that_twilio_does_not_know_is_gone(twilio: Scripted, adapter: Adapter) -> None:
    twilio.answers = [(404, {}, error(20404)), (404, {}, error(20404))]

    assert adapter.cancel(ACCOUNT_SID, SID) is CancelReply.GONE
    assert adapter.look_up(ACCOUNT_SID, SID) is CancelReply.GONE


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param((500, {}, b"oops"), id="500"),
        pytest.param((503, {}, b""), id="503 without a body"),
        pytest.param((200, {}, b"<html>a proxy's page</html>"), id="no JSON"),
        pytest.param((200, {}, call(None)), id="no status"),
        pytest.param((200, {}, call("a status of next year")), id="a status that is new"),
    ],
)
def test_what_cannot_be_understood_is_unknown(twilio: Scripted, adapter: Adapter, answer: Answer) -> None:
    twilio.answers = [answer]

    with pytest.raises(TwilioUnavailable):
        adapter.cancel(ACCOUNT_SID, SID)


@pytest.mark.parametrize(
    ("headers", "pause"),
    [
        ({}, None),
        ({"Retry-After": "7"}, 7.0),
        ({"Retry-After": "x"}, None),
        ({"Retry-After": "-1"}, None),
        ({"Retry-After": "nan"}, None),
        ({"Retry-After": "inf"}, None),
    ],
)
def test_a_throttled_request_tells_how_long_to_wait(
    twilio: Scripted, adapter: Adapter, headers: dict[str, str], pause: float | None
) -> None:
    twilio.answers = [(429, headers, error(20429))]

    with pytest.raises(TwilioThrottled) as caught:
        adapter.cancel(ACCOUNT_SID, SID)

    assert caught.value.retry_after == pause


@pytest.mark.parametrize(
    ("headers", "concurrent"),
    [({}, None), ({"Twilio-Concurrent-Requests": "101"}, 101), ({"Twilio-Concurrent-Requests": "many"}, None)],
)
def test_a_throttled_request_tells_how_many_the_account_has_under_way(
    twilio: Scripted, adapter: Adapter, headers: dict[str, str], concurrent: int | None
) -> None:
    twilio.answers = [(429, headers, error(20429))]

    with pytest.raises(TwilioThrottled) as caught:
        adapter.cancel(ACCOUNT_SID, SID)

    assert caught.value.concurrent == concurrent


@pytest.mark.parametrize("adapter", ["of a sweep"], indirect=True)
def test_an_answer_that_does_not_come_is_not_waited_for(twilio: Scripted, adapter: Blocking) -> None:
    twilio.answers = []  # the handler fails, and hangs up
    began = time.monotonic()

    with pytest.raises(TwilioUnavailable) as caught:
        adapter.cancel(ACCOUNT_SID, SID)

    assert time.monotonic() - began < 10
    assert SID not in str(caught.value)


@pytest.mark.parametrize("adapter", ["of a sweep"], indirect=True)
def test_the_sweep_is_not_led_elsewhere(twilio: Scripted, adapter: Blocking) -> None:
    """A redirect is no answer, and credentials go to nobody else."""
    twilio.answers = [(307, {"Location": "/elsewhere"}, b"{}")]

    with pytest.raises((TwilioUnavailable, TwilioRefused)):
        adapter.cancel(ACCOUNT_SID, SID)
    assert len(twilio.requests) == 1


def test_a_list_beside_a_sweep_is_asked_for_again(twilio: Scripted, calls: TwilioCalls) -> None:
    page: dict[str, object] = {"calls": [], "next_page_uri": None, "page": 0, "page_size": 1000, "uri": "/"}
    twilio.answers = [(429, {}, error(20429)), (429, {}, error(20429)), (200, {}, json.dumps(page).encode())]

    (listed,) = calls.queued_calls(ACCOUNT_SID)
    assert listed.is_last

    twilio.answers = [(429, {"Retry-After": "30"}, error(20429))]
    with pytest.raises(TwilioThrottled):
        list(calls.queued_calls(ACCOUNT_SID))


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
