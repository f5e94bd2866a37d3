"""urllib3's connections, with a deadline for each whole answer.

Its read timeout bounds only each wait for the next bytes, so a server that sends one byte at a time would hold us
for ever (https://urllib3.readthedocs.io/en/stable/reference/urllib3.util.html#urllib3.util.Timeout).
"""

import io
import time
from functools import partial
from http.client import HTTPResponse
from typing import Any

import urllib3
from urllib3 import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.connection import HTTPConnection, HTTPSConnection

from callguard.errors import TwilioUnavailable

MAX_ANSWER_BYTES = 16 * 1024 * 1024
"""After decompression. A page of a thousand calls has some two million."""

_PIECE_BYTES = 64 * 1024


def end_answers_in_time(pools: urllib3.PoolManager) -> None:
    """Let the read timeout of every request bound its whole answer, head and body together."""
    pools.pool_classes_by_scheme = {"http": _TimedPool, "https": _TimedTlsPool}


def body_of(answer: Any, most_bytes: int = MAX_ANSWER_BYTES) -> bytes:
    """Read an answer that was asked for without its content.

    Raises:
        TwilioUnavailable: it has more than `most_bytes`; the connection is closed.
        urllib3.exceptions.HTTPError: it broke off, or its time was up.
    """
    read = bytearray()
    try:
        for piece in answer.stream(_PIECE_BYTES, decode_content=True):
            read += piece
            if len(read) > most_bytes:
                raise TwilioUnavailable(f"Twilio's answer is larger than {most_bytes:,} bytes")
    except BaseException:
        answer.close()
        raise
    return bytes(read)


class _TimedReader(io.RawIOBase):
    """Reads a socket until a deadline; each wait lasts at most the time that is left."""

    def __init__(self, sock: Any, seconds: float) -> None:
        super().__init__()
        self._socket = sock
        self._raw = sock.makefile("rb", buffering=0)
        self._ends_at = time.monotonic() + seconds

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._ends_at - time.monotonic()
        if left <= 0:
            raise TimeoutError("the answer took too long")
        self._socket.settimeout(left)
        count: int | None = self._raw.readinto(buffer)
        return count

    def close(self) -> None:
        self._raw.close()
        super().close()


class _TimedResponse(HTTPResponse):
    """`http.client`'s, over such a reader."""

    def __init__(self, sock: Any, *args: Any, seconds: float, **options: Any) -> None:
        super().__init__(sock, *args, **options)
        self.fp.close()
        self.fp = io.BufferedReader(_TimedReader(sock, seconds))


class _Timed:
    """What both kinds of connection do before they read an answer: `timeout` is what is left for it by then."""

    timeout: float | None
    response_class: Any

    def getresponse(self) -> Any:
        """Read the head, and let the body have what is left of the time."""
        if self.timeout is not None:
            self.response_class = partial(_TimedResponse, seconds=self.timeout)
        return super().getresponse()  # type: ignore[misc]  # of the connection it is mixed into


class _TimedConnection(_Timed, HTTPConnection):
    """Without TLS."""


class _TimedTlsConnection(_Timed, HTTPSConnection):
    """With TLS."""


class _TimedPool(HTTPConnectionPool):
    ConnectionCls = _TimedConnection


class _TimedTlsPool(HTTPSConnectionPool):
    ConnectionCls = _TimedTlsConnection
