"""Peers that take their time: each request has an end, and nobody else waits for it."""

import socket
import sys
import time
from collections.abc import Iterator

import pytest

from callguard.processes.connections import ANSWER_SECONDS, BODY_SECONDS
from callguard.simulator import SimulatorConfig
from tests.callback_requests import PATH, signed_callback
from tests.slow_peers import Herd, answer_status
from tests.stack import SID, TOKEN, Stack, stack

pytestmark = [pytest.mark.full, pytest.mark.timeout(120)]

ENOUGH_SECONDS = 3 * max(BODY_SECONDS, ANSWER_SECONDS)
HEAD = (
    f"POST {PATH} HTTP/1.1\r\nHost: guard\r\nContent-Type: application/x-www-form-urlencoded\r\n{{more}}\r\n\r\n"
)
DOCUMENT = b"GET /api/openapi.json HTTP/1.1\r\nHost: guard\r\n\r\n"
METRICS = DOCUMENT.replace(b"/api/openapi.json", b"/metrics")
TRICKLES = {
    "a head": f"POST {PATH} HTTP/1.1\r\nX-Slow: ".encode(),
    "a body": HEAD.format(more="Content-Length: 16000").encode(),
    "a body in chunks": HEAD.format(more="Transfer-Encoding: chunked").encode() + b"3e80\r\n",
    "chunks' sizes": HEAD.format(more="Transfer-Encoding: chunked").encode(),
    "a body that is too large": HEAD.format(more="Content-Length: 99999999").encode(),
    "a report": b"POST /api/reports HTTP/1.1\r\nHost: guard\r\nContent-Type: application/json\r\n"
    b"Content-Length: 16000\r\n\r\n",
    "a body that nobody reads": b"GET /healthz HTTP/1.1\r\nHost: guard\r\nContent-Length: 16000\r\n\r\n",
}


@pytest.fixture(scope="module")
def guard() -> Iterator[Stack]:
    """Web server and Valkey, without workers."""
    with stack(SimulatorConfig(), workers=False, environ={"CALLGUARD_WEB_WORKERS": "1"}) as running:
        yield running


def callback(guard: Stack) -> bytes:
    return signed_callback(f"http://127.0.0.1:{guard.port}", SID, TOKEN)


@pytest.mark.parametrize("what", TRICKLES)
def test_a_request_that_trickles_comes_to_an_end(guard: Stack, what: str) -> None:
    with Herd(guard.port, 1, TRICKLES[what], every_seconds=0.3) as herd:
        herd.run_until_ended(ENOUGH_SECONDS)


@pytest.mark.parametrize("asked", [DOCUMENT * 200, METRICS * 100], ids=["the document", "metrics"])
def test_an_answer_that_nobody_reads_comes_to_an_end(guard: Stack, asked: bytes) -> None:
    with Herd(guard.port, 1, asked) as herd:
        herd.run_until_ended(ENOUGH_SECONDS)


def test_an_answer_that_is_read_byte_by_byte_comes_to_an_end(guard: Stack) -> None:
    with Herd(guard.port, 1, DOCUMENT * 200, reads=1, every_seconds=0.1) as herd:
        herd.run_until_ended(ENOUGH_SECONDS)


@pytest.mark.parametrize(
    ("count", "sent", "every_seconds"),
    [
        pytest.param(2_200, TRICKLES["a body"], 2.0, id="bodies that trickle"),
        pytest.param(2_200, TRICKLES["a head"], 2.0, id="heads that trickle"),
        pytest.param(1_010, DOCUMENT * 130, 0.0, id="answers that nobody reads"),
        pytest.param(2_200, b"", 0.0, id="nothing at all"),
    ],
)
def test_callbacks_are_answered_beside_more_peers_than_there_are_connections(
    guard: Stack, count: int, sent: bytes, every_seconds: float
) -> None:
    """Those that are ended come back at once, as an attacker's would."""
    took: list[float] = []

    def ask() -> bool:
        began = time.monotonic()
        # On a quiet machine it takes one to four seconds with this one worker; without an end, for ever.
        assert answer_status(guard.port, callback(guard), patience=15.0) == 204
        took.append(time.monotonic() - began)
        time.sleep(0.3)
        return len(took) >= 10

    with Herd(guard.port, count, sent, every_seconds=every_seconds, come_back=True) as herd:
        herd.run_beside(ask)
        ended = len(herd.lived_seconds)

    took.sort()
    sys.stdout.write(f"\ncallbacks: median {took[5]:.3f} s, slowest {took[-1]:.3f} s; {ended} connections ended\n")


def test_a_quick_peer_keeps_its_connection(guard: Stack) -> None:
    with socket.create_connection(("127.0.0.1", guard.port), timeout=30) as connection:
        for _ in range(20):
            connection.sendall(callback(guard))
            assert connection.recv(4096).startswith(b"HTTP/1.1 204")


def test_requests_that_are_sent_at_once_are_answered_one_a_connection(guard: Stack) -> None:
    with socket.create_connection(("127.0.0.1", guard.port), timeout=30) as connection:
        connection.sendall(callback(guard) + callback(guard))
        came = b"".join(iter(lambda: connection.recv(4096), b""))

    assert came.count(b"HTTP/1.1 204") == 1
    assert b"Connection: close" in came


def test_nothing_of_it_is_in_the_log(guard: Stack) -> None:
    log = (guard.logs / "web.log").read_text()

    assert "Traceback" not in log
    assert len(log) < 20_000
