"""The log: one line a record on stderr, without secrets and without anyone's number."""

import logging
import re
import sys
import traceback
from collections.abc import Iterable
from datetime import UTC, datetime
from urllib.parse import quote

from callguard.domain.addresses import masked
from callguard.log_spacing import Spacing

MASK = "*****"

MIN_SECRET = 4
"""A shorter secret is not masked: it would be found inside ordinary words."""

QUIET = ("rq", "rq.worker", "twilio", "twilio.http_client", "urllib3")
"""Loggers whose INFO lines repeat others or say too much: numbers, parameters, each request."""

_NUMBER = re.compile(r"(?:\+|%2[Bb])([0-9]{7,})")
_BARE_NUMBER = re.compile(r"(?<![0-9A-Za-z.*+])[0-9]{10,15}(?![0-9A-Za-z])")  # long enough to be a telephone's
_URL_CREDENTIALS = re.compile(r"://[^\s/@]*@")
_CONTROL = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")


class RedactingFormatter(logging.Formatter):
    """Writes a record as `2026-01-02T03:04:05.678Z INFO watch.watcher message`, redacted.

    Line breaks within the message are escaped, and the lines of a traceback are indented, so that text in one
    record cannot forge another.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        """Mask `secrets` too, also where they are percent-encoded."""
        super().__init__()
        forms = {form for secret in secrets for form in (secret, quote(secret, safe=""))}
        known = sorted((form for form in forms if len(form) >= MIN_SECRET), key=len, reverse=True)
        self._secrets = re.compile("|".join(map(re.escape, known))) if known else None

    def format(self, record: logging.LogRecord) -> str:
        """Return the redacted line, and the traceback's lines below it."""
        time = datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds")
        name = record.name.removeprefix("callguard.")
        head = f"{time.replace('+00:00', 'Z')} {record.levelname} {name} "
        lines = [head + _CONTROL.sub(_escaped, self.redacted(record.getMessage()))]
        lines += [f"    {_CONTROL.sub(_escaped, line)}" for line in self.redacted(_trace(record)).splitlines()]
        return "\n".join(lines)

    def redacted(self, text: str) -> str:
        """Return the text without secrets, passwords in URLs, and numbers, which are masked as `+1555***01`."""
        if self._secrets is not None:
            text = self._secrets.sub(MASK, text)
        text = _URL_CREDENTIALS.sub(f"://{MASK}@", text)
        text = _NUMBER.sub(lambda found: masked(f"+{found[1]}"), text)
        return _BARE_NUMBER.sub(lambda found: masked(found[0]), text)


class GuardHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """The one handler that `configure_logging` sets up, and replaces when it is called again."""


def configure_logging(level: str = "INFO", secrets: Iterable[str] = ()) -> None:
    """Send the log of this process to stderr, redacted and spaced; may be called again.

    gunicorn's error log keeps its own destination and is redacted too.
    """
    formatter = RedactingFormatter(secrets)
    root = logging.getLogger()
    for old in [handler for handler in root.handlers if isinstance(handler, GuardHandler)]:
        root.removeHandler(old)
    handler = GuardHandler(sys.stderr)
    for each in (handler, *logging.getLogger("gunicorn.error").handlers):
        each.setFormatter(formatter)
        for old_filter in [one for one in each.filters if isinstance(one, Spacing)]:
            each.removeFilter(old_filter)
        each.addFilter(Spacing(each))
    root.addHandler(handler)
    root.setLevel(level)
    for name in QUIET:
        logging.getLogger(name).setLevel(max(root.level, logging.WARNING))


def _trace(record: logging.LogRecord) -> str:
    parts = ["".join(traceback.format_exception(*record.exc_info))] if record.exc_info else []
    parts += [record.exc_text] if record.exc_text and not record.exc_info else []
    parts += [record.stack_info] if record.stack_info else []
    return "\n".join(parts)


def _escaped(found: re.Match[str]) -> str:
    return repr(found[0])[1:-1]
