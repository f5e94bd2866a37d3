"""Answers of Twilio's that trickle, never end, or are larger than any answer of Twilio's."""

import asyncio
import gzip
import socket
import threading
import time
import tracemalloc
from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest

from callguard.config.accounts import Account
from callguard.errors import TwilioUnavailable
from callguard.telephony.async_http_client import PooledAsyncHttpClient
from callguard.telephony.calls import TwilioCalls
from callguard.telephony.http_client import PooledHttpClient
from callguard.telephony.timed_connections import MAX_ANSWER_BYTES
from tests.calls import call_sid
from tests.conftest import ACCOUNT_SID

pytestmark = [pytest.mark.full, pytest.mark.timeout(30)]

TIMEOUT, BYTE_SECONDS, TOO_LONG = 0.6, 0.1, 5.0
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"
GOOD = HEAD + b'Content-Length: 13\r\n\r\n{"calls": []}'
SIZED_BOMB = b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n"
CHUNKED_BOMB = b"Content-Encoding: gzip\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n"
BOMB = gzip.compress(bytes(200 * 1024 * 1024), compresslevel=9)


class Slow:
    """A server that writes `first`, and then `again` over and over."""

    def __init__(self) -> None:
        self.first, self.again, self.pause = b"", b"", BYTE_SECONDS
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}"
        threading.Thread(target=self._accept, daemon=True).start()

    def close(self) -> None:
        self._listener.close()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=self._serve, args=self._listener.accept(), daemon=True).start()

    def _serve(self, peer: socket.socket, _address: object) -> None:
        with suppress(OSError), peer:
            peer.recv(65_536)
            peer.sendall(self.first)
            while self.again:
                time.sleep(self.pause)
                peer.sendall(self.again)


@pytest.fixture
def twilio() -> Iterator[Slow]:
    server = Slow()
    yield server
    server.close()


def ask_synchronously(url: str) -> str:
    client = PooledHttpClient(timeout=TIMEOUT, list_timeout=TIMEOUT)
    try:
        return str(client.request("GET", f"{url}/2010-04-01/Accounts/AC/Calls.json").text)
    finally:
        client.close()


def ask_asynchronously(url: str) -> str:
    async def ask() -> str:
        async with PooledAsyncHttpClient(timeout=TIMEOUT) as client:
            return str((await client.request("GET", f"{url}/2010-04-01/Accounts/AC/Calls.json")).text)

    return asyncio.run(ask())


@pytest.fixture(params=[ask_synchronously, ask_asynchronously], ids=["synchronous", "asynchronous"])
def ask(request: pytest.FixtureRequest) -> Callable[[str], str]:
    client: Callable[[str], str] = request.param
    return client


@pytest.mark.parametrize(
    ("first", "again"),
    [
        pytest.param(b"", b"", id="nothing"),
        pytest.param(b"HTTP/1.1 ", b"2", id="a status line"),
        pytest.param(HEAD + b"X-Slow: ", b"1", id="a header"),
        pytest.param(HEAD, b"X-Slow: 1\r\n", id="header after header"),
        pytest.param(HEAD + b"Content-Length: 100000\r\n\r\n", b" ", id="a body"),
        pytest.param(HEAD + b"\r\n", b" ", id="a body without a length"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\n \r\n", id="chunk after chunk"),
        pytest.param(HEAD + b"Transfer-Encoding: chunked\r\n\r\n1;", b"a", id="the size of a chunk"),
        pytest.param(b"HTTP/1.1 100 Continue\r\n\r\n", b"HTTP/1.1 100 Continue\r\n\r\n", id="100 after 100"),
        pytest.param(HEAD.replace(b"200 OK", b"500 Oh") + b"Content-Length: 100000\r\n\r\n", b" ", id="an error"),
    ],
)
def test_an_answer_that_trickles_is_given_up(
    twilio: Slow, ask: Callable[[str], str], first: bytes, again: bytes
) -> None:
    twilio.first, twilio.again = first, again or b"\r\n"
    if not first:
        twilio.pause = TOO_LONG

    with pytest.raises(TwilioUnavailable):
        ask(twilio.url)


@pytest.mark.parametrize(
    ("first", "again"),
    [
        pytest.param(SIZED_BOMB % len(BOMB) + BOMB, b"", id="a bomb"),
        pytest.param(CHUNKED_BOMB % len(BOMB) + BOMB + b"\r\n0\r\n\r\n", b"", id="a bomb in one chunk"),
        pytest.param(b"Content-Length: 999999999\r\n\r\n", b" " * 4_000_000, id="a body"),
        pytest.param(b"\r\n", b" " * 4_000_000, id="a body without a length"),
    ],
)
def test_an_answer_that_is_too_large_is_refused_before_it_is_held(
    twilio: Slow, ask: Callable[[str], str], first: bytes, again: bytes
) -> None:
    twilio.first, twilio.again, twilio.pause = HEAD + first, again, 0.0
    tracemalloc.start()
    try:
        with pytest.raises(TwilioUnavailable):
            ask(twilio.url)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert peak < 4 * MAX_ANSWER_BYTES


def test_a_page_of_a_thousand_calls_is_read(twilio: Slow, ask: Callable[[str], str]) -> None:
    page = gzip.compress(b'{"calls": [' + b",".join([b'{"sid": "CA"}' + b" " * 4000] * 1000) + b"]}")
    twilio.first = HEAD + b"Content-Encoding: gzip\r\nContent-Length: %d\r\n\r\n%b" % (len(page), page)

    assert len(ask(twilio.url)) > 4_000_000


def test_after_an_answer_that_trickled_the_next_is_read(twilio: Slow) -> None:
    """The watch goes on with the same client."""
    client = PooledHttpClient(timeout=TIMEOUT, list_timeout=TIMEOUT)
    calls = TwilioCalls({ACCOUNT_SID: Account(ACCOUNT_SID, ("a" * 32,))}, twilio.url, client)
    twilio.first, twilio.again = HEAD + b"Content-Length: 100000\r\n\r\n", b" "
    with pytest.raises(TwilioUnavailable):
        list(calls.queued_calls(ACCOUNT_SID))
    with pytest.raises(TwilioUnavailable):
        calls.cancel(ACCOUNT_SID, call_sid(1))

    twilio.first, twilio.again = GOOD, b""

    assert [page.calls for page in calls.queued_calls(ACCOUNT_SID)] == [[]]
    client.close()
