"""What a whole batch of events holds, and what its sender is told of it."""

import re
from dataclasses import dataclass, field
from typing import Annotated, Any

from pydantic import BeforeValidator

from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent
from callguard.web.moments import Stale
from callguard.web.twilio.callback_fields import PATTERNS, REQUIRED, code_of
from callguard.web.twilio.callback_parser import Ignored, MalformedCallback, parse_callback
from callguard.web.twilio.cloud_events import (
    OTHER_ACCOUNT,
    TOO_MANY_EVENTS,
    Envelope,
    EventPart,
    MalformedEvent,
    read_batch,
)
from callguard.web.twilio.created_calls import Skipped, created_call

MAX_PROBLEMS = 20
"""The most problems listed in an answer."""

CREATED = "com.twilio.voice.api-request.call.created"

# With `webhook.`: the deprecated names, which can still be subscribed to
# (https://www.twilio.com/docs/events/event-types/voice/call-progress-event).
_STATUS_CALLBACK = re.compile(
    r"com\.twilio\.voice\.(?:webhook\.)?status-callback\.call\.(?:initiated|ringing|answered|completed)"
)
_HALF_PAIR = re.compile(r"[\ud800-\udfff]")  # JSON can write half a surrogate pair, which no UTF-8 has


@dataclass(slots=True)
class BatchReading:
    """The news, oldest first, and the events that brought none: each with its place and a short code."""

    news: list[CallEvent] = field(default_factory=list)
    malformed: list[tuple[int | None, str]] = field(default_factory=list)
    ignored: list[tuple[int | None, str]] = field(default_factory=list)
    stale: list[Stale] = field(default_factory=list)
    unknown_types: list[str] = field(default_factory=list)

    @property
    def codes(self) -> set[str]:
        """What is wrong with the malformed events."""
        return {code for _, code in self.malformed}

    @property
    def is_too_large(self) -> bool:
        """Whether there are more events than a batch may have; none of them is read."""
        return TOO_MANY_EVENTS in self.codes

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
    except MalformedEvent as error:
        reading.malformed.append((None, error.code))
        return reading
    for index, event in enumerate(batch):
        try:
            news = _news_of(event, account, received_ms)
        except (MalformedEvent, MalformedCallback) as error:
            reading.malformed.append((index, error.code))
            continue
        if isinstance(news, CallEvent):
            reading.news.append(news)
            continue
        reading.ignored.append((index, news.value))
        if isinstance(news, Stale):
            reading.stale.append(news)
        if news is Skipped.UNKNOWN_TYPE:
            reading.unknown_types.append(event["type"])
    # Event Streams promises no order. Rates are measured in that of time, and a call is queued before it rings.
    reading.news.sort(key=lambda one: (one.at_ms, one.status.phase))
    return reading


def _news_of(event: Any, account: Account, received_ms: int) -> CallEvent | Ignored | Skipped | Stale:
    kind = Envelope.read(event).type
    if kind == CREATED:
        return created_call(event, account, received_ms)
    if _STATUS_CALLBACK.fullmatch(kind):
        return _progress(_ProgressEvent.read(event).data, account, received_ms)
    return Skipped.UNKNOWN_TYPE


def _deciding(parameters: Any) -> Any:
    """Return the parameters that decide something, as a form would have them; null counts as empty."""
    if not isinstance(parameters, dict):
        return parameters
    fields = {
        name: "" if parameters[name] is None else parameters[name] for name in PATTERNS if name in parameters
    }
    if not all(isinstance(value, str) and not _HALF_PAIR.search(value) for value in fields.values()):
        raise ValueError("should be text")
    return fields


class _ProgressRequest(EventPart):
    parameters: Annotated[dict[str, str] | None, BeforeValidator(_deciding)] = None


class _Progress(EventPart):
    """The status callback that is reported: its fields, as it has them, are the request's parameters.

    https://www.twilio.com/docs/events/event-types/voice/status-callback
    """

    sid: Any = None
    request: _ProgressRequest | None = None


class _ProgressEvent(EventPart):
    data: _Progress


def _progress(data: _Progress, account: Account, received_ms: int) -> CallEvent | Ignored | Stale:
    fields = (data.request and data.request.parameters) or {}
    # The signature covers a hash of the whole body, so no border between fields can have been moved.
    news = parse_callback(fields, received_ms, account.hasher, signed_text=None)
    if fields.get("AccountSid", account.sid) != account.sid:
        raise MalformedEvent(OTHER_ACCOUNT)
    if news is Ignored.OTHER_KIND:
        raise MalformedEvent(code_of("missing", next(name for name in REQUIRED if name not in fields)))
    if isinstance(news, CallEvent) and data.sid not in (None, news.call_sid):
        raise MalformedEvent("ambiguous_call_sid")
    return news
