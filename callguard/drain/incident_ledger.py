"""The open incident as a sweep's ledger."""

from collections.abc import Sequence
from dataclasses import dataclass

from callguard.domain.incidents import Outcome
from callguard.ports import CallTracker, Clock, IncidentBook


@dataclass(frozen=True, slots=True)
class IncidentLedger:
    """Fulfils `SweepLedger`: calls come from the mirror of the queue, outcomes go into the incident."""

    account_sid: str
    generation: int
    tracker: CallTracker
    incidents: IncidentBook
    clock: Clock

    def head(self, count: int) -> Sequence[str]:
        """Read the oldest calls of the mirror that the incident is about."""
        return self.tracker.head(self.account_sid, count)

    def settle(self, outcomes: Sequence[tuple[str, Outcome]]) -> bool:
        """Record outcomes and read the kill switch, at once."""
        return self.incidents.settle_all(self.account_sid, self.generation, outcomes, self.clock.now_ms())
