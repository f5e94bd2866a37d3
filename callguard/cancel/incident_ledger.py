"""The open incident as a sweep's ledger."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass

from callguard.cancel.needs import CallTracker, IncidentStore
from callguard.clock import Clock
from callguard.domain.tally import Outcome

SORTED_AT_ONCE = 250


@dataclass(frozen=True, slots=True)
class IncidentLedger:
    """Fulfils `SweepLedger`: calls come from the mirror of the queue, outcomes go into the incident."""

    account_sid: str
    generation: int
    tracker: CallTracker
    incidents: IncidentStore
    clock: Clock

    def head(self, count: int) -> Sequence[str]:
        """Read the oldest calls of the mirror that the incident is about; others are left alone from now on."""
        while calls := self.tracker.head(self.account_sid, count):
            if inside := self.tracker.in_scope(self.account_sid, calls):
                return inside
        return ()

    async def sort(self) -> None:
        """Leave alone all calls of the mirror that the incident is not about, so that the others can be counted.

        Begins with the newest: the sweep takes the oldest, and new calls are sorted as they arrive.
        """
        start = 0
        while calls := self.tracker.newest(self.account_sid, start, SORTED_AT_ONCE):
            start += len(self.tracker.in_scope(self.account_sid, calls))
            await asyncio.sleep(0)

    def settle(self, outcomes: Sequence[tuple[str, Outcome]]) -> bool:
        """Record outcomes and read the kill switch, at once."""
        return self.incidents.settle_all(self.account_sid, self.generation, outcomes, self.clock.now_ms())
