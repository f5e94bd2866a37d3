"""Incidents: what tripped, what was done, and a tally of every call that adds up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum

from callguard.domain.culprits import Culprit
from callguard.domain.policy import Mode
from callguard.domain.scope import EVERY_CALL, Scope
from callguard.domain.snapshot import Finding, Word
from callguard.domain.tally import Outcome, Tally


class LiveOutcome(Enum):
    """What the guard did with a live call. It is counted apart: such a call is no longer in any queue."""

    HUNG_UP = "hung_up"
    REDIRECTED = "redirected"
    FAILED = "failed"

    @property
    def words(self) -> str:
        """As people read it."""
        return self.value.replace("_", " ")


@dataclass(frozen=True, slots=True)
class Incident:
    """One trip, from its finding to the guard being armed again.

    Attributes:
        id: `<account sid>-<generation>`.
        finding: the rule and its figures.
        mode: `observe` cancels nothing.
        tripped_ms: when the guard tripped.
        cooled_ms: when the drain ended; 0 while it runs.
        closed_ms: when the guard was armed again; 0 until then.
        reason: why it was closed, in words.
        closed_by: the person who has closed it; empty for the guard itself.
        continued: who has last let the drain go on beyond `max_cancellations`, and why.
        culprits: the From numbers that carried it, the greatest first, masked.
        scope: the calls that it may cancel.
        cap_from: how many had been cancelled when a person last let the drain go on beyond `max_cancellations`.
        outcomes: calls by what became of them.
        remaining: queued calls that the drain is still to cancel.
        protected: queued calls that are never cancelled; once they leave the queue, they are an outcome.
        live: live calls by what the guard did with them; no part of `found`.
        unqueued: True while it has had no queue: its calls are dialled as they are created, none is cancelled.
    """

    id: str
    account_sid: str
    generation: int
    finding: Finding
    mode: Mode
    tripped_ms: int
    cooled_ms: int = 0
    closed_ms: int = 0
    reason: str = ""
    closed_by: str = ""
    continued: Word = field(default_factory=Word)
    culprits: tuple[Culprit, ...] = ()
    scope: Scope = EVERY_CALL
    cap_from: int = 0
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)
    remaining: int = 0
    protected: int = 0
    live: Mapping[LiveOutcome, int] = field(default_factory=dict)
    unqueued: bool = False

    @property
    def tally(self) -> Tally:
        """Every call of the incident; where the guard only observes, what remains has been observed."""
        return Tally(self.outcomes, 0 if self.mode is Mode.OBSERVE else self.remaining, self.protected)

    @property
    def found(self) -> int:
        """All calls of the incident; where the guard only observes, those it would have cancelled or protected."""
        return self.tally.found

    def count(self, outcome: Outcome) -> int:
        """Return how many calls ended with `outcome`."""
        return self.tally.count(outcome)


def incident_id(account_sid: str, generation: int) -> str:
    """Return the name of the incident that a trip to `generation` opens."""
    return f"{account_sid}-{generation}"


def summary(incident: Incident) -> str:
    """Return what became of an incident's calls, in words."""
    counts = Tally(incident.outcomes).terms()
    counts += [f"{incident.protected:,} protected"] if incident.protected else []
    counts += [f"{incident.remaining:,} remaining"] if incident.mode is Mode.ENFORCE else []
    found = f"{incident.found:,} found: " + (", ".join(counts) or "nothing")
    live = live_summary(incident)
    return f"{found}; live calls, counted apart: {live}" if live else found


def live_summary(incident: Incident) -> str:
    """Return what was done with live calls, in words; empty where nothing was."""
    return ", ".join(f"{count:,} {outcome.words}" for outcome, count in incident.live.items() if count)
