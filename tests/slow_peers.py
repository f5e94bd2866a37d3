"""Many peers of a web server, each of which takes its time. On Linux only: it needs `epoll`."""

import http.client
import select
import socket
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Self

_LOOK_SECONDS = 0.02
_MAX_AT_ONCE = 100
_ENDED = 0x2000 | 0x8 | 0x10
"""EPOLLRDHUP, EPOLLERR and EPOLLHUP: it has ended, whatever of it is still unread."""


class Herd:
    """`count` connections that send `first`, then a byte `every_seconds` (0: no other), and read nothing.

    With `reads` they read so many bytes in place of each byte that they would send.
    """

    def __init__(
        self,
        port: int,
        count: int,
        first: bytes,
        *,
        every_seconds: float = 0.0,
        reads: int = 0,
        come_back: bool = False,
    ) -> None:
        self._port, self._count, self._first = port, count, first
        self._every_seconds, self._reads, self._come_back = every_seconds, reads, come_back
        self._open: dict[int, tuple[socket.socket, float]] = {}
        self._poll = select.epoll()
        self._next = 0.0
        self._joined = 0
        self.lived_seconds: list[float] = []

    @property
    def still_open(self) -> int:
        return len(self._open)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        for peer, _ in self._open.values():
            peer.close()
        self._poll.close()

    def run_until_ended(self, seconds: float) -> None:
        """Go on until the server has ended all of them; fail after so many seconds."""
        ends = time.monotonic() + seconds
        while self._joined < self._count or self._open:
            assert time.monotonic() < ends, f"{self.still_open} still open"
            self._step()

    def run_beside(self, ask: Callable[[], bool]) -> None:
        """Go on in a thread, from when all have come, until `ask` has returned True."""
        while self._joined < self._count:
            self._step()
        over = threading.Event()
        thread = threading.Thread(target=self._until_set, args=(over,))
        thread.start()
        try:
            while not ask():
                pass
        finally:
            over.set()
            thread.join()

    def _until_set(self, over: threading.Event) -> None:
        while not over.is_set():
            self._step()

    def _step(self) -> None:
        for _ in range(min(_MAX_AT_ONCE, self._count - self.still_open)):
            if self._joined < self._count or self._come_back:
                self._join()
        for number, events in self._poll.poll(_LOOK_SECONDS):
            self._heard(number, events)
        if self._every_seconds and time.monotonic() >= self._next:
            self._next = time.monotonic() + self._every_seconds
            for number in list(self._open):
                self._nag(number)

    def _join(self) -> None:
        peer = socket.socket()
        peer.setblocking(False)
        with suppress(BlockingIOError):
            peer.connect(("127.0.0.1", self._port))
        self._open[peer.fileno()] = peer, time.monotonic()
        self._joined += 1
        self._poll.register(peer, select.EPOLLOUT | _ENDED)

    def _heard(self, number: int, events: int) -> None:
        if events & _ENDED:
            self._lost(number)
            return
        self._poll.modify(number, _ENDED)
        self._send(number, self._first)

    def _nag(self, number: int) -> None:
        if not self._reads:
            self._send(number, b"1")
            return
        try:
            self._open[number][0].recv(self._reads)
        except BlockingIOError:
            pass
        except OSError:
            self._lost(number)

    def _send(self, number: int, text: bytes) -> None:
        try:
            self._open[number][0].send(text)
        except BlockingIOError:
            pass
        except OSError:
            self._lost(number)

    def _lost(self, number: int) -> None:
        peer, began = self._open.pop(number)
        self.lived_seconds.append(time.monotonic() - began)
        self._poll.unregister(peer)
        peer.close()


def answer_status(port: int, request: bytes, patience: float) -> int:
    """Send a prepared request and return the answer's status."""
    with socket.create_connection(("127.0.0.1", port), timeout=patience) as connection:
        connection.sendall(request)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        answer.read()
        return answer.status
