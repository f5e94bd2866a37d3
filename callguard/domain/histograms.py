"""Histograms that live in Redis: which counter an observation belongs to."""

from bisect import bisect_left
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Histogram:
    """A Prometheus histogram as counters of a hash.

    Attributes:
        name: the prefix of its counters.
        bounds: the upper bounds of its buckets in seconds, ascending; `+Inf` follows by itself.
    """

    name: str
    bounds: tuple[float, ...]

    def field(self, seconds: float) -> str:
        """Return the counter that an observation of `seconds` raises by one."""
        return self._fields()[bisect_left(self.bounds, seconds)]

    def cumulated(self, totals: Mapping[str, float]) -> list[tuple[str, float]]:
        """Return Prometheus' cumulative buckets, `[(upper bound, count), ...]`, from the counters."""
        buckets, count = [], 0.0
        for bound, field in zip([*map(str, self.bounds), "+Inf"], self._fields(), strict=True):
            count += totals.get(field, 0)
            buckets.append((bound, count))
        return buckets

    def sum_of(self, totals: Mapping[str, float]) -> float:
        """Return the sum of all observations."""
        return totals.get(f"{self.name}_sum", 0.0)

    def _fields(self) -> list[str]:
        return [f"{self.name}:{bound}" for bound in (*self.bounds, "+Inf")]


DETECTION_DELAY = Histogram("detection", (0.25, 0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 30.0, 60.0, 300.0, 1800.0))
"""From the onset of what tripped the guard to the trip, in seconds."""

CANCEL_DURATION = Histogram("cancel", (0.5, 1.0, 2.0, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0, 900.0))
"""From the trip to the end of its first drain, in seconds."""
