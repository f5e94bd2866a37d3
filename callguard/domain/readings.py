"""Values that the store returns: results of news, and figures of an account and of the outbox."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from callguard.domain.notices import Outage
from callguard.domain.snapshot import Snapshot, State


@dataclass(frozen=True, slots=True)
class AccountReading:
    """What the metrics show of an account: its snapshot, counters since ever, and rates per second.

    `hold_queues` has how many callers are on hold, by the queue's name; `outages` since when each goes on.
    """

    snapshot: Snapshot
    state: State
    totals: Mapping[str, float]
    queued_rate: float
    initiated_rate: float
    cancelled_rate: float = 0.0
    hold_queues: Mapping[str, int] = field(default_factory=dict)
    outages: Mapping[Outage, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class OutboxFacts:
    """How many notices had each result so far, and when the oldest waiting one was posted (Unix ms; 0: none)."""

    totals: Mapping[str, int]
    oldest_ms: int


@dataclass(frozen=True, slots=True)
class Observation:
    """The result of telling the store some news.

    Attributes:
        counted: how many of the events were new.
        snapshot: the account after them; None if no rule can have been crossed and `if_crossed` was given.
        may_warn: whether a rule may have reached its warn level.
    """

    counted: int
    snapshot: Snapshot | None
    may_warn: bool = False


@dataclass(frozen=True, slots=True)
class Reported:
    """The result of noting reports.

    Attributes:
        counted: how many of the calls were news.
        may_cross: whether they would cross a rule if they were true.
    """

    counted: int
    may_cross: bool
