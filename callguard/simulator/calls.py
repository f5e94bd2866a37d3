"""A call, its statuses and its timeline.

Statuses: https://www.twilio.com/docs/voice/api/call-resource#call-status-values
Events:   https://www.twilio.com/docs/voice/api/call-resource#statuscallbackevent
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from itertools import islice


class CallStatus(StrEnum):
    """What the REST API says of a call. `initiated` is a word of callbacks only."""

    QUEUED = "queued"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    FAILED = "failed"
    NO_ANSWER = "no-answer"
    CANCELED = "canceled"


class CallEvent(StrEnum):
    """What a StatusCallbackEvent may subscribe to. No event tells that a call was queued."""

    INITIATED = "initiated"
    RINGING = "ringing"
    ANSWERED = "answered"
    COMPLETED = "completed"


@dataclass(frozen=True, slots=True)
class StatusCallback:
    """Where and how the caller asked to be told of a call's progress.

    The URL is kept as it came, with its `#rc=..&rp=..` fragment.
    """

    url: str
    method: str = "POST"
    events: frozenset[CallEvent] = frozenset({CallEvent.COMPLETED})


@dataclass(frozen=True, slots=True)
class NewCall:
    """What a caller asks for when creating a call."""

    to: str
    from_number: str
    callback: StatusCallback | None = None


@dataclass(slots=True)
class Call:
    """One call and when it did what. Times are unix seconds; None until it happens.

    Mutable, because it is an entity with a life; only `Account` changes it.
    """

    sid: str
    number: int  # its place in the account's order of creation, from 0
    order: NewCall
    created_at: float
    queue_time_ms: int
    status: CallStatus = CallStatus.QUEUED
    dialled_at: float | None = None
    answered_at: float | None = None
    ended_at: float | None = None
    callbacks_made: int = 0  # the next callback's SequenceNumber

    @property
    def ended(self) -> bool:
        """Whether the call is over, however it ended."""
        return self.ended_at is not None

    def status_at(self, moment: float) -> CallStatus:
        """The status that a look at `moment` showed; it must not be before the creation."""
        if self.ended_at is not None and self.ended_at <= moment:
            return self.status
        if self.answered_at is not None and self.answered_at <= moment:
            return CallStatus.IN_PROGRESS
        if self.dialled_at is not None and self.dialled_at <= moment:
            return CallStatus.RINGING
        return CallStatus.QUEUED

    @property
    def talk_seconds(self) -> int:
        """How long people talked, in whole seconds; 0 when nobody answered or it goes on."""
        if self.answered_at is None or self.ended_at is None:
            return 0
        return round(self.ended_at - self.answered_at)


@dataclass(frozen=True, slots=True)
class Progress:
    """A call came to a point that its owner wants a callback for.

    `word` is the callback's CallStatus, `sequence` its SequenceNumber: it counts subscribed events.
    """

    call: Call
    event: CallEvent
    word: str
    at: float
    sequence: int


class CallRow:
    """Calls sorted by their number. Walks may show departed calls: the walker checks.

    Departed calls are swept out once they are the greater part. So appending, departing and finding a place stay
    cheap with a hundred thousand calls, and a walk passes two calls at most for each it finds.
    """

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._departed = 0

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls)

    def append(self, call: Call) -> None:
        """Add a call, whose number must be above all others."""
        self._calls.append(call)

    def note_departure(self, stays: Callable[[Call], bool]) -> None:
        """Say that one more call has left; when many have, those that do not stay are swept away."""
        self._departed += 1
        if self._departed * 2 > len(self._calls):
            self._calls = [call for call in self._calls if stays(call)]
            self._departed = 0

    def oldest_first(self, after: int | None = None) -> Iterator[Call]:
        """Walk towards the newest, from behind the call with that number."""
        start = 0 if after is None else bisect_right(self._calls, after, key=_number)
        return islice(self._calls, start, None)

    def newest_first(self, after: int | None = None) -> Iterator[Call]:
        """Walk towards the oldest, from behind the call with that number."""
        calls = self._calls
        end = len(calls) if after is None else bisect_left(calls, after, key=_number)
        return (calls[place] for place in range(end - 1, -1, -1))


def _number(call: Call) -> int:
    return call.number
