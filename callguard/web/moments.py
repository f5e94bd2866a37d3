"""Moments and waits as Twilio and the API write them, and which moment counts."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import lru_cache
from typing import Annotated, Any

from pydantic import BeforeValidator

from callguard.domain.drain_time import MAX_QUEUE_MS
from callguard.web.twilio.callback_fields import PATTERNS

STALE_MS = 6 * 3_600_000
"""The store remembers ended calls for so long: older news could count twice."""

MAX_AHEAD_MS = 15 * 60_000
"""Milliseconds that news may be ahead of our clock: more than clocks differ, less than replays are remembered."""

FRESH_MS = 2_000
"""Twilio writes whole seconds; for younger news the arrival shows the order of calls better."""

_RFC2822 = re.compile(PATTERNS["Timestamp"])
_MAX_CHARACTERS = 64
_DIGITS = re.compile("[0-9]{1,9}")


@dataclass(frozen=True, slots=True)
class Stale:
    """True news that must not count, since its time cannot be right; `ahead_ms` of our clock, or behind it."""

    ahead_ms: int
    value = "stale"


def counted_ms(sent_ms: int, received_ms: int, stale_ms: int = STALE_MS) -> int | Stale:
    """Return the moment at which news counts. News `stale_ms` old, or `MAX_AHEAD_MS` ahead, is stale."""
    age_ms = received_ms - sent_ms
    if age_ms > stale_ms or -age_ms > MAX_AHEAD_MS:
        return Stale(-age_ms)
    # Late news, perhaps much of it at once, counts at its own time.
    return sent_ms if age_ms > FRESH_MS else received_ms


def _queue_ms(given: Any) -> int | None:
    if given is None or given == "":
        return None
    is_whole = type(given) is int or (isinstance(given, str) and _DIGITS.fullmatch(given))
    if not is_whole or not 0 <= int(given) <= MAX_QUEUE_MS:
        raise ValueError("should be whole milliseconds")
    return int(given)


QueueTime = Annotated[int | None, BeforeValidator(_queue_ms)]
"""Twilio's `queue_time` in a model: milliseconds, or their text; null and an empty text are None."""


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
