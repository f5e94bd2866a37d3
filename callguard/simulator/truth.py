"""What really happened, for tests and drills to check the guard against. No REST client sees this."""

from collections import deque
from dataclasses import dataclass, field

MAX_LOG = 200_000


@dataclass(slots=True)
class RequestCounts:
    """How many REST requests came: by kind those that were admitted, those refused by the ceiling, faults."""

    creates: int = 0
    updates: int = 0
    lists: int = 0
    fetches: int = 0
    hold_lists: int = 0
    throttled: int = 0
    errors: int = 0
    lost_replies: int = 0
    hangs: int = 0


@dataclass(frozen=True, slots=True)
class RunawayTruth:
    """A runaway's progress: calls asked for, created, and refused because the queue was full."""

    running: bool = False
    asked: int = 0
    created: int = 0
    rejected: int = 0


@dataclass(frozen=True, slots=True)
class CallbackTruth:
    """How many callbacks: answered 2xx or 3xx, failed for good, dropped as a fault, under way."""

    sent: int
    failed: int
    dropped: int
    pending: int


@dataclass(frozen=True, slots=True)
class AccountTruth:
    """One account at one moment.

    `queued` counts live calls, `phantom_slots` those slots whose call is dead; `drain_seconds` is how long
    a new call would wait. `statuses` counts all calls ever made by their status now. `max_concurrent` is the
    most requests that were admitted at once. `on_hold` counts the callers in each hold queue.
    `events` counts those for the event sink, None without one.
    """

    sid: str
    cps: float
    latency: float
    ceiling: int
    queued: int
    phantom_slots: int
    drain_seconds: float
    created: int
    dialled: int
    cancelled: int
    statuses: dict[str, int]
    requests: RequestCounts
    in_flight: int
    max_concurrent: int
    callbacks: CallbackTruth
    runaway: RunawayTruth
    on_hold: dict[str, int]
    events: CallbackTruth | None = None


@dataclass(frozen=True, slots=True)
class UpdateRecord:
    """One update request: what it sent, what the call was and became, and what was answered.

    `number` counts from 1. `http` is 0 when there was no answer (`fault` says `hang` or `lost_reply`; in the
    latter case `result_status` is what the update made of the call all the same). Statuses are None where
    the call was not found or the request not executed. `at` is in unix seconds.
    """

    number: int
    sid: str
    status_sent: str | None
    redirect: bool
    previous_status: str | None
    result_status: str | None
    http: int
    fault: str | None
    at: float


@dataclass(slots=True)
class UpdateLog:
    """The last 200,000 update requests."""

    _records: deque[UpdateRecord] = field(default_factory=lambda: deque(maxlen=MAX_LOG))
    last_number: int = 0

    def add(self, record: UpdateRecord) -> None:
        """Keep a record, whose number must be `last_number + 1`."""
        self._records.append(record)
        self.last_number = record.number

    def since(self, number: int) -> list[UpdateRecord]:
        """The records after that number that are still kept, oldest first."""
        found = []
        for record in reversed(self._records):
            if record.number <= number:
                break
            found.append(record)
        return found[::-1]
