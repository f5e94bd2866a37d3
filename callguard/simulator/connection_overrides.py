"""The `#rc=..&rp=..` fragment of a callback URL: how long to wait and when to try again.

https://www.twilio.com/docs/usage/webhooks/webhooks-connection-overrides. By default a callback is tried
once more after a failure to connect, and after nothing else: a receiver's 5xx loses the event.
"""

from dataclasses import dataclass
from enum import StrEnum
from urllib.parse import parse_qs, urlsplit


class Failure(StrEnum):
    """Why an attempt failed, in the words of the parameter `rp`."""

    CONNECT = "ct"
    READ_TIMEOUT = "rt"
    CLIENT_ERROR = "4xx"
    SERVER_ERROR = "5xx"


@dataclass(frozen=True, slots=True)
class ConnectionOverrides:
    """How a callback is delivered. Twilio's defaults."""

    retries: int = 1
    retry_after: frozenset[Failure] = frozenset({Failure.CONNECT})
    connect_seconds: float = 5.0
    read_seconds: float = 15.0
    total_seconds: float = 15.0  # for all attempts together


def read_overrides(url: str) -> ConnectionOverrides:
    """What the URL's fragment asks for. Wrong parts are ignored (Twilio's warning 11243)."""
    values = {name: said[0] for name, said in parse_qs(urlsplit(url).fragment).items()}
    return ConnectionOverrides(
        _within(values.get("rc"), 0, 5, 1),
        _retry_after(values.get("rp", "ct")),
        _within(values.get("ct"), 100, 10_000, 5000) / 1000,
        _within(values.get("rt"), 100, 15_000, 15_000) / 1000,
        _within(values.get("tt"), 100, 15_000, 15_000) / 1000,
    )


def _within(text: str | None, least: int, most: int, default: int) -> int:
    if text is None or not (text.isascii() and text.isdigit() and len(text) < 10):
        return default
    return int(text) if least <= int(text) <= most else default


def _retry_after(text: str) -> frozenset[Failure]:
    words = text.split(",")
    if "all" in words:
        return frozenset(Failure)
    if set(words) <= set(Failure):
        return frozenset(Failure(word) for word in words)
    return frozenset({Failure.CONNECT})
