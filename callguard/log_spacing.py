"""Limits what strangers can make the log say: some lines a minute of each kind, with a count of those left out."""

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass

MAX_A_MINUTE = 5
MINUTE_SECONDS = 60.0
MAX_CHARACTERS = 300
MAX_KINDS = 200

WEB_SERVER = "gunicorn.error"
LOGGERS = (WEB_SERVER, "callguard", "callguard.web", "callguard.metrics", "callguard.detect.campaigns")
"""Loggers that a request can set off. `callguard` itself is Flask's, for the app's errors."""

_OF_A_REQUEST = "Invalid request from"
"""The beginning of gunicorn's lines that repeat a part of a request."""


@dataclass(slots=True)
class _Kind:
    since: float
    passed: int = 0
    left_out: int = 0


class Spacing(logging.Filter):
    """For a handler: lets `MAX_A_MINUTE` records of a kind pass, and then says how many it has left out.

    Records of other loggers than `LOGGERS` always pass.
    """

    def __init__(self, handler: logging.Handler, monotonic: Callable[[], float] = time.monotonic) -> None:
        """Write the counts of left-out lines to `handler`; `monotonic` gives seconds."""
        super().__init__()
        self._handler = handler
        self._monotonic = monotonic
        self._kinds: dict[tuple[str, int, str], _Kind] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write the record; first log the left-out counts of kinds older than a minute."""
        now = self._monotonic()
        self._say_left_out(now)
        if not _can_be_set_off(record.name):
            return True
        key = _kind_of(record)
        if key not in self._kinds and len(self._kinds) >= MAX_KINDS:
            key = (record.name, record.levelno, "")
        kind = self._kinds.setdefault(key, _Kind(now))
        if kind.passed >= MAX_A_MINUTE:
            kind.left_out += 1
            return False
        kind.passed += 1
        _shorten(record)
        return True

    def _say_left_out(self, now: float) -> None:
        for key, kind in list(self._kinds.items()):
            if now - kind.since < MINUTE_SECONDS:
                continue
            self._kinds.pop(key, None)
            if kind.left_out:
                name, level, start = key
                text = "%d more lines were left out, like: %s"
                said = logging.LogRecord(name, level, __file__, 0, text, (kind.left_out, start or "…"), None)
                self._handler.acquire()
                try:
                    self._handler.emit(said)
                finally:
                    self._handler.release()


def _can_be_set_off(name: str) -> bool:
    return name in LOGGERS or name.startswith(("callguard.web.", "callguard.metrics."))


def _kind_of(record: logging.LogRecord) -> tuple[str, int, str]:
    """Return the record's kind: our own texts are a closed set; gunicorn fills in some before it logs them."""
    text = str(record.msg)
    return record.name, record.levelno, " ".join(text.split()[:3]) if record.name == WEB_SERVER else text


def _shorten(record: logging.LogRecord) -> None:
    if str(record.msg).startswith(_OF_A_REQUEST) and len(text := record.getMessage()) > MAX_CHARACTERS:
        record.msg, record.args = f"{text[:MAX_CHARACTERS]}…", None
