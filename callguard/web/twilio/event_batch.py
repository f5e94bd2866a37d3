"""What a whole batch of events holds, and what its sender is told of it."""

from dataclasses import dataclass, field
from typing import Any

from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent
from callguard.web.twilio.callback_parser import Stale
from callguard.web.twilio.cloud_events import MalformedBatch, TooManyEvents, news_of, read_batch, type_of
from callguard.web.twilio.created_calls import Skipped
from callguard.web.twilio.event_fields import MalformedEvent

MAX_PROBLEMS = 20
"""So many are listed in an answer."""


@dataclass(slots=True)
class BatchReading:
    """The news, oldest first, and the events that brought none: each with its place and a short code."""

    news: list[CallEvent] = field(default_factory=list)
    malformed: list[tuple[int | None, str]] = field(default_factory=list)
    ignored: list[tuple[int | None, str]] = field(default_factory=list)
    stale: list[Stale] = field(default_factory=list)
    unknown_types: list[str] = field(default_factory=list)
    is_too_large: bool = False

    @property
    def codes(self) -> set[str]:
        """What is wrong with the malformed events."""
        return {code for _, code in self.malformed}

    @property
    def http_status(self) -> int:
        """200 for a batch, also where events of it were malformed: the answer says so.

        Twilio does not send a batch again that was answered 4xx; it shows an error for all of its events
        (https://www.twilio.com/docs/api/errors/91305). So 4xx is for what is no batch at all.
        """
        if self.is_too_large:
            return 413
        return 400 if any(index is None for index, _ in self.malformed) else 200

    def summary(self, counted: int) -> dict[str, Any]:
        """Return what became of the batch: `counted` of the news were new. Nothing in it is the request's."""
        problems = [*self.malformed, *self.ignored][:MAX_PROBLEMS]
        return {
            "counted": counted,
            "duplicates": len(self.news) - counted,
            "ignored": len(self.ignored),
            "problems": [{"index": index, "code": code} for index, code in problems],
        }


def read(body: bytes, account: Account, received_ms: int) -> BatchReading:
    """Read a batch that the account has signed; one bad event does not spoil the others."""
    reading = BatchReading()
    try:
        batch = read_batch(body)
    except MalformedBatch as error:
        reading.malformed.append((None, error.code))
        reading.is_too_large = isinstance(error, TooManyEvents)
        return reading
    for index, event in enumerate(batch):
        try:
            news = news_of(event, account, received_ms)
        except MalformedEvent as error:
            reading.malformed.append((index, error.code))
            continue
        if isinstance(news, CallEvent):
            reading.news.append(news)
            continue
        reading.ignored.append((index, news.value))
        if isinstance(news, Stale):
            reading.stale.append(news)
        if news is Skipped.UNKNOWN_TYPE:
            reading.unknown_types.append(type_of(event))
    # Event Streams promises no order. Rates are measured in that of time, and a call is queued before it rings.
    reading.news.sort(key=lambda one: (one.at_ms, one.status.phase))
    return reading
