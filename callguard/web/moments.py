"""Moments as texts: of Twilio, and of the API."""

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache

from callguard.web.twilio.callback_fields import PATTERNS

_RFC2822 = re.compile(PATTERNS["Timestamp"])
_MAX_CHARACTERS = 64


def unix_ms(text: str) -> int:
    """Return the milliseconds of Unix time that a text in RFC 2822, or in ISO 8601 with a zone, means.

    Raises:
        ValueError: it is neither.
    """
    if len(text) > _MAX_CHARACTERS:
        raise ValueError("is too long")
    return _unix_ms(text)


@lru_cache(maxsize=256)  # During a spike many calls are of the same second.
def _unix_ms(text: str) -> int:
    if _RFC2822.fullmatch(text):
        moment = parsedate_to_datetime(text)
        # RFC 2822 writes -0000 for UTC at an unknown place, which Python reads as no zone.
        moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    else:
        moment = datetime.fromisoformat(text)
    if moment.tzinfo is None:
        raise ValueError("has no zone")
    try:
        return int(moment.timestamp() * 1000)
    except OverflowError as error:
        raise ValueError("is out of range") from error


def utc(ms: float) -> datetime:
    """Return a moment of Unix time, in milliseconds, in UTC."""
    return datetime.fromtimestamp(ms / 1000, UTC)
