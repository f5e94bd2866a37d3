"""The web server when senders stall, and when Redis does not answer."""

import http.client
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, suppress

import pytest

from callguard.simulator import SimulatorConfig
from tests.callback_requests import PATH, signed_callback
from tests.stack import SID, TOKEN, Stack, stack
from tests.waiting import wait_until

STALLED = 200

pytestmark = [pytest.mark.full, pytest.mark.timeout(120)]


@pytest.fixture(scope="module")
def guard() -> Iterator[Stack]:
    """Web server and Valkey, without workers."""
    with stack(SimulatorConfig(), workers=False) as running:
        yield running


def send(guard: Stack, request: bytes, patience: float = 5.0) -> int:
    """Send a prepared request and return the answer's status."""
    with socket.create_connection(("127.0.0.1", guard.port), timeout=patience) as connection:
        connection.sendall(request)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        answer.read()
        return answer.status


def callback(guard: Stack, status: str = "initiated") -> bytes:
    return signed_callback(f"http://127.0.0.1:{guard.port}", SID, TOKEN, status=status)


def counted(guard: Stack) -> float:
    account = guard.services.accounts[SID]
    return guard.stores.readings.read(SID, account.policy, guard.services.clock.now_ms()).totals["calls:initiated"]


def test_stalled_bodies_hold_up_nobody(guard: Stack) -> None:
    """Three of them would block two gthread threads for good."""
    half = callback(guard)[:-40]
    with ExitStack() as stalled:
        for _ in range(STALLED):
            connection = stalled.enter_context(socket.create_connection(("127.0.0.1", guard.port)))
            connection.sendall(half)

        assert send(guard, callback(guard)) == 204


def test_a_hung_redis_is_answered_503_and_nothing_is_lost_by_sending_again(guard: Stack) -> None:
    assert send(guard, callback(guard)) == 204
    before = counted(guard)
    request = callback(guard)
    pid = server_pid(guard)
    os.kill(pid, signal.SIGSTOP)
    try:
        answer = send(guard, request, patience=3.0)
    finally:
        os.kill(pid, signal.SIGCONT)

    assert answer == 503
    wait_until(lambda: send(guard, request) == 204, "Redis answers again")
    wait_until(lambda: counted(guard) == before + 1, "the callback counts once")


@pytest.mark.parametrize(
    ("request_line", "status"),
    [
        pytest.param(f"GET {PATH}", 403, id="an unsigned GET"),
        pytest.param(f"PUT {PATH}", 405, id="another method"),
        pytest.param("GET /nothing", 404, id="another path"),
        pytest.param("GET /healthz", 200, id="health"),
        pytest.param("GET /readyz", 200, id="readiness"),
        pytest.param("GET /metrics", 403, id="metrics, by a name that is not this machine's"),
    ],
)
def test_other_requests(guard: Stack, request_line: str, status: int) -> None:
    assert send(guard, f"{request_line} HTTP/1.1\r\nHost: guard\r\n\r\n".encode()) == status


def test_a_sender_that_stalls_is_given_up(guard: Stack) -> None:
    """Otherwise a few thousand of them would take all connections that there are."""
    assert send(guard, callback(guard)[:-40], patience=20) == 403


def test_a_body_that_says_it_is_too_large_is_refused_before_it_comes(guard: Stack) -> None:
    head = f"POST {PATH} HTTP/1.1\r\nHost: guard\r\nContent-Length: 99999999\r\n"

    assert send(guard, (head + "Content-Type: application/x-www-form-urlencoded\r\n\r\n").encode()) == 413


def test_a_body_that_is_too_large_is_refused(guard: Stack) -> None:
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: guard\r\nContent-Length: 17000\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\n\r\n"
    )

    assert send(guard, head.encode() + b"a=" + b"b" * 16998) == 413


MALFORMED = {
    "no request at all": b"\x16\x03\x01 hello\r\n\r\n",
    "a header's name": b"GET / HTTP/1.1\r\nHo st: x" + b"y" * 4000 + b"\r\n\r\n",
    "a header that is too long": b"GET / HTTP/1.1\r\nX: " + b"y" * 9000 + b"\r\n\r\n",
    "a request line that is too long": b"GET /" + b"y" * 5000 + b" HTTP/1.1\r\n\r\n",
    "two lengths": b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
    "a coding": b"POST / HTTP/1.1\r\nTransfer-Encoding: zip\r\n\r\n",
    "a chunk": f"POST {PATH} HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n".encode(),
    "no such page": b"GET /nothing HTTP/1.1\r\nHost: guard\r\nConnection: close\r\n\r\n",
    "no key": b"GET /api/accounts HTTP/1.1\r\nHost: guard\r\nConnection: close\r\n\r\n",
    "a forged callback": f"POST {PATH} HTTP/1.1\r\nHost: guard\r\nConnection: close\r\n\r\n".encode(),
    "half a body": f"POST {PATH} HTTP/1.1\r\nHost: guard\r\nContent-Length: 90\r\n\r\nx".encode(),
}


def test_strangers_do_not_fill_the_log(guard: Stack) -> None:
    """Five thousand malformed requests, each of which would be a line or two, and much of some."""
    before = len((guard.logs / "web.log").read_text())
    for number in range(5_000):
        request = list(MALFORMED.values())[number % len(MALFORMED)]
        with suppress(OSError), socket.create_connection(("127.0.0.1", guard.port), timeout=5) as connection:
            connection.sendall(request)
            connection.shutdown(socket.SHUT_WR)
            while connection.recv(4096):
                pass

    grown = len((guard.logs / "web.log").read_text()) - before
    sys.stdout.write(f"\n5,000 malformed requests: {grown:,} bytes of log\n")
    assert grown < 20_000


def server_pid(guard: Stack) -> int:
    """Return the process of the stack's Valkey."""
    _owner, server = (guard.logs / "valkey.lock").read_text().split()
    return int(server)
