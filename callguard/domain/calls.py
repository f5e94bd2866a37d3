"""Calls in Twilio's words.

Twilio's strings are translated here once; nobody else compares them.
Source: https://www.twilio.com/docs/voice/api/call-resource#call-status-values
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum, IntFlag
from itertools import groupby

OUTBOUND_API = "outbound-api"
"""The one direction that waits in the rate queue: https://www.twilio.com/docs/glossary/what-is-cps"""


def is_in_rate_queue(direction: object, parent_call_sid: object) -> bool:
    """Return whether a call goes through the rate queue: an API request made it, and it is no child leg.

    Twilio's list and answers always have the direction; a report may lack it. A call without a direction counts,
    unless it has a parent: its reporter has just made it by API, and leaving it out would hide a runaway. A leg
    always names its parent.
    """
    return not parent_call_sid and (direction or OUTBOUND_API) == OUTBOUND_API


SETTLING_MS = 10_000
"""Milliseconds for which Twilio may not list, or not know, a new call: it is eventually consistent."""


class CallStatus(Enum):
    """Every status that Twilio gives a call.

    `initiated` is a word of the status callbacks only: the call has left the rate queue.
    """

    QUEUED = "queued"
    INITIATED = "initiated"
    RINGING = "ringing"
    IN_PROGRESS = "in-progress"
    COMPLETED = "completed"
    BUSY = "busy"
    FAILED = "failed"
    NO_ANSWER = "no-answer"
    CANCELED = "canceled"

    @property
    def phase(self) -> "Phase":
        """The phase of a call's life that this status belongs to."""
        return _PHASES.get(self, Phase.ENDED)

    @property
    def is_over(self) -> bool:
        """True where nothing more will come of the call."""
        return self.phase is Phase.ENDED

    @property
    def has_been_dialled(self) -> bool:
        """True where Twilio's dialler has spent a slot on ringing somebody.

        A `canceled` call may have been cancelled in the queue, so it is no proof of dialling.
        """
        return self not in (CallStatus.QUEUED, CallStatus.CANCELED)


class Phase(IntFlag):
    """The phases of one call, as the bits under which they are remembered.

    The bits seen are or-ed together: each phase counts once, in whatever order its news arrives, and the
    highest bit is where the call is.
    """

    QUEUED = 1
    INITIATED = 2
    RINGING = 4
    IN_PROGRESS = 8
    ENDED = 16


_PHASES = {
    CallStatus.QUEUED: Phase.QUEUED,
    CallStatus.INITIATED: Phase.INITIATED,
    CallStatus.RINGING: Phase.RINGING,
    CallStatus.IN_PROGRESS: Phase.IN_PROGRESS,
}


@dataclass(frozen=True, slots=True)
class CallEvent:
    """One piece of news about one outbound call, from whichever source it came.

    Attributes:
        call_sid: `CA` and 32 hex digits.
        status: what the call has become.
        at_ms: when, in milliseconds of Unix time: the creation for `queued`, else the arrival of the news.
        protected: True when it is never cancelled: From or To is on `never_cancel`, or not known, or
            To is an emergency number.
        sender: a keyed hash of From, empty if From is not known. Numbers in full are not passed on.
        sender_shown: From as it may be shown, masked.
        destination: a keyed hash of To, empty where it is not a telephone's.
        queue_ms: Twilio's `queue_time`: how long it expected the call to wait; None where it is not told.
        surely_protected: True if it is known to be protected, not only unknown From or To.
        doubtful: True for a `queued` that may be over by now: it counts as entered, but only a list that shows
            the call proves that it is still queued.
    """

    call_sid: str
    status: CallStatus
    at_ms: int
    protected: bool = False
    sender: str = ""
    sender_shown: str = ""
    destination: str = ""
    queue_ms: int | None = None
    doubtful: bool = False
    surely_protected: bool = False


@dataclass(frozen=True, slots=True)
class ListedCall:
    """A queued call as Twilio's list shows it.

    Attributes:
        call_sid: `CA` and 32 hex digits.
        created_ms: Twilio's `date_created` in milliseconds of Unix time (it has whole seconds only).
        queue_ms: Twilio's `queue_time`: how long it expected the call to wait, in milliseconds.
        from_number: the caller; never stored.
        to_number: the person called; never stored.
    """

    call_sid: str
    created_ms: int
    queue_ms: int | None
    from_number: str
    to_number: str


def by_creation(listed: Sequence[ListedCall], now_ms: int) -> list[tuple[int, ListedCall]]:
    """Return the calls oldest first, each with its best known time of creation in milliseconds.

    A runaway creates hundreds of calls in each of `date_created`'s seconds. Within one, the call that expected
    to wait longer is the later one, and where that is not told, the one that is listed earlier, as Twilio's
    examples list the newest first. They are spread over their second in that order. A creation later than
    `now_ms` shows that Twilio's clock is ahead of ours: all are set back by as much.
    """
    newest_ms = max((call.created_ms for call in listed), default=0)
    ahead_ms = max(0, newest_ms - now_ms // 1000 * 1000)

    def second(call: ListedCall) -> int:
        return call.created_ms - ahead_ms

    ordered = list(listed)
    ordered.reverse()
    ordered.sort(key=lambda call: (second(call), call.queue_ms or 0))  # stable: ties stay newest listed last
    spread = []
    for second_ms, group in groupby(ordered, key=second):
        calls = list(group)
        spread += [(second_ms + place * 1000 // len(calls), call) for place, call in enumerate(calls)]
    return spread


@dataclass(frozen=True, slots=True)
class ListedPage:
    """A page of Twilio's list, and whether no other follows."""

    calls: list[ListedCall]
    is_last: bool


@dataclass(frozen=True, slots=True)
class MirroredCall:
    """A call in the mirror: its creation in milliseconds, and what keeps it from being cancelled.

    That is `never_cancel`, an announced campaign, or an open incident that is not about it.
    """

    created_ms: int
    protected: bool
    announced: bool = False
    out_of_scope: bool = False
