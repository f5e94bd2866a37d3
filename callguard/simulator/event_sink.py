"""Where a simulated account streams its events: https://www.twilio.com/docs/events/webhook-quickstart"""

from dataclasses import dataclass
from urllib.parse import urlsplit

CREATED = "com.twilio.voice.api-request.call.created"
STATUS_CALLBACK = "com.twilio.voice.status-callback.call."
EVENT_TYPES = frozenset(
    {CREATED, *(STATUS_CALLBACK + e for e in ("initiated", "ringing", "answered", "completed"))}
)


@dataclass(frozen=True, slots=True)
class EventSink:
    """A webhook sink and its subscription. Raises `ValueError` for what could not be one.

    An event is ready to go `latency` seconds after it happened. What is ready goes out every `batch_seconds`, at
    most `batch_size` events in a request, one request at a time. A batch that is not answered with 2xx is sent
    again, up to `attempts` times in all, after `retry_seconds`, then twice that, and so on. (Twilio goes on for
    four hours.) When `most_waiting` events wait, the next are lost.
    """

    url: str
    types: frozenset[str] = EVENT_TYPES
    batch_size: int = 100
    batch_seconds: float = 0.05
    latency: float = 0.0
    attempts: int = 5
    retry_seconds: float = 0.2
    most_waiting: int = 100_000

    def __post_init__(self) -> None:
        parts = urlsplit(self.url)
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.fragment or parts.port == 0:
            raise ValueError(f"a sink's URL is http or https and has no fragment, not {self.url!r}")
        if unknown := self.types - EVENT_TYPES:
            raise ValueError(f"unknown event types: {', '.join(sorted(unknown))}")
        if min(self.batch_size, self.attempts, self.most_waiting) < 1:
            raise ValueError("batch_size, attempts and most_waiting must be 1 or more")
        if self.batch_seconds < 0.005 or min(self.latency, self.retry_seconds) < 0:
            raise ValueError("batch_seconds must be 0.005 or more, latency and retry_seconds 0 or more")
