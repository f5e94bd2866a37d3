"""Twilio's rate queue: first in, first out, a slot each 1/CPS s, dialled as soon as a slot is free."""

from bisect import bisect_right
from dataclasses import dataclass

from tests.benchmarks.detectors.traffic import Kind, Traffic


@dataclass(frozen=True, slots=True)
class RateQueue:
    """Traffic and when each of its calls is dialled. At any moment a run of consecutive calls is queued."""

    traffic: Traffic
    cps: float
    dialled_ms: list[int]

    @classmethod
    def of(cls, traffic: Traffic, cps: float) -> "RateQueue":
        """Let `traffic` through at `cps`."""
        dialled, free_ms, slot_ms = [], 0.0, 1000 / cps
        for created_ms in traffic.created_ms:
            at_ms = max(float(created_ms), free_ms)
            dialled.append(int(at_ms))
            free_ms = at_ms + slot_ms
        return cls(traffic, cps, dialled)

    def queued_at(self, now_ms: int) -> range:
        """Return the calls that are queued at `now_ms`."""
        first = bisect_right(self.dialled_ms, now_ms)
        return range(first, max(first, bisect_right(self.traffic.created_ms, now_ms)))

    def runaway_dialled_by(self, now_ms: int) -> int:
        """Return how many calls of a runaway have been dialled by `now_ms`."""
        kinds = self.traffic.kinds
        return sum(kinds[call] is Kind.RUNAWAY for call in range(bisect_right(self.dialled_ms, now_ms)))

    def most_queued(self, begin_ms: int) -> int:
        """Return how many calls were queued at once, at the most, from `begin_ms` on."""
        created = self.traffic.created_ms
        first = bisect_right(created, begin_ms)
        return max((len(self.queued_at(at_ms)) for at_ms in created[first:]), default=0)


def listed_creations(queue: RateQueue, queued: range, first_new: int) -> list[int]:
    """Return the creation times from call `first_new` on as a list of `queued` calls shows them.

    The list has whole seconds, over which the guard spreads the calls: `callguard.domain.calls.by_creation`.
    """
    created, times, place = queue.traffic.created_ms, [], first_new
    while place > queued.start and created[place - 1] // 1000 == created[first_new] // 1000:
        place -= 1
    while place < queued.stop:
        second = created[place] // 1000
        behind = bisect_right(created, second * 1000 + 999, place, queued.stop)
        count = behind - place
        times += [(second * 1000 + nth * 1000 // count) for nth in range(count) if place + nth >= first_new]
        place = behind
    return times
