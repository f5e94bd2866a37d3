"""Reading a body: bounded, and without waiting for ever."""

from collections.abc import Mapping
from typing import Any

from flask import Request
from werkzeug.exceptions import RequestEntityTooLarge

from callguard.errors import CallGuardError
from callguard.processes.connections import BODY_SECONDS, CONNECTION, WORK_SECONDS


class BrokenBody(CallGuardError):
    """A body that broke off; `raw` is what came of it."""

    def __init__(self, raw: bytes = b"") -> None:
        """Keep what came."""
        super().__init__()
        self.raw = raw


def read_body(request: Request, most_bytes: int) -> bytes:
    """Return the body; empty if its sender left amid it, or took more than `BODY_SECONDS`.

    Raises:
        RequestEntityTooLarge: more than `most_bytes`, as declared or as counted.
    """
    if declares_more(request.environ, most_bytes):
        raise RequestEntityTooLarge
    try:
        body = read_start(request.environ, most_bytes)
    except BrokenBody:
        return b""
    if len(body) > most_bytes:
        raise RequestEntityTooLarge
    return body


def declares_more(environ: Mapping[str, Any], most_bytes: int) -> bool:
    """Return whether a body's declared length is greater than that."""
    length = environ.get("CONTENT_LENGTH") or ""
    return length.isdecimal() and len(length) < 20 and int(length) > most_bytes


def read_start(environ: Mapping[str, Any], most_bytes: int, seconds: float = BODY_SECONDS) -> bytes:
    """Return the body of a WSGI environment, or of a longer one `most_bytes` + 1 bytes.

    Raises:
        BrokenBody: it broke off, or took more than `seconds`.
    """
    connection = environ.get(CONNECTION)
    if connection is None:
        return _read(environ, most_bytes + 1)
    connection.give_body(seconds)
    try:
        return _read(environ, most_bytes + 1)
    finally:
        connection.give(WORK_SECONDS)


def _read(environ: Mapping[str, Any], most: int) -> bytes:
    length = environ.get("CONTENT_LENGTH") or ("" if environ.get("wsgi.input_terminated") else "0")
    if length and not length.isdecimal():
        raise BrokenBody
    wanted = min(int(length), most) if length and len(length) < 10 else most
    try:
        body: bytes = environ["wsgi.input"].read(wanted)
    except Exception:
        # Each server has its own errors for a broken connection or chunk; all mean the same.
        raise BrokenBody from None
    if length and len(body) < wanted:
        raise BrokenBody(body)
    return body
