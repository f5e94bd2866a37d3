"""The leaky bucket, the guard's detector of rates that go on too long, and the plateau.

A leaky bucket is the Poisson CUSUM: O(1), without window edges, with a near-optimal delay for a given rate of
false alarms (Lucas 1985, "Counted data CUSUM's"; Moustakides 1986). `store/lua/observe_calls.lua` does the same
arithmetic inside Redis; a test holds the two together.

The plateau is of calls that leave the queue as fast as the account lets them, for too long: callbacks show a
runaway of any size as a flat line at CPS. The deficit, the calls that are missing below 90 % of CPS, is a leaky
bucket turned upside down: CPS is a mean, so a second may miss it
(https://www.twilio.com/docs/glossary/what-is-cps), but a line with a gap is none.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class LeakyBucket:
    """How many calls have come above the rate that may go on for ever.

    Attributes:
        level: calls above the rate, as of `updated_ms`.
        updated_ms: milliseconds of Unix time of the last call that was poured in.
        onset_ms: when the bucket was last empty: the start of what is in it now.
    """

    level: float = 0.0
    updated_ms: int = 0
    onset_ms: int = 0

    def level_at(self, now_ms: int, rate: float) -> float:
        """Return the level at `now_ms` after leaking `rate` calls per second."""
        elapsed = max(0, now_ms - self.updated_ms)
        return max(0.0, self.level - rate * elapsed / 1000)

    def poured(self, times_ms: Iterable[int], rate: float, most: float = math.inf) -> "LeakyBucket":
        """Return the bucket after calls at `times_ms`, which ascend; it holds `most` at the most.

        News of older calls does not turn the bucket's clock back. Where the bucket has been empty since, they
        fill a bucket of their own, and what has not leaked from that by now is added.
        """
        bucket, late = self, None
        for at in times_ms:
            if at >= bucket.updated_ms:
                bucket = bucket._advanced(at, rate, most)
            elif bucket.level > 0 and at >= bucket.onset_ms:
                bucket = LeakyBucket(min(bucket.level + 1, most), bucket.updated_ms, bucket.onset_ms)
            else:
                late = (late or LeakyBucket(0, at, at))._advanced(at, rate, most)
        return bucket._joined(late, rate, most) if late else bucket

    def _advanced(self, at_ms: int, rate: float, most: float) -> "LeakyBucket":
        level = self.level_at(at_ms, rate)
        return LeakyBucket(min(level + 1, most), at_ms, self.onset_ms if level > 0 else at_ms)

    def _joined(self, late: "LeakyBucket", rate: float, most: float) -> "LeakyBucket":
        left = late.level_at(self.updated_ms, rate)
        if left <= 0:
            return self
        return LeakyBucket(min(self.level + left, most), self.updated_ms, min(self.onset_ms, late.onset_ms))


FULL_SHARE = 0.9
GAP_SECONDS = 5.0
MIN_GAP_CALLS = 4.0


@dataclass(frozen=True, slots=True)
class Plateau:
    """A line of `initiated` calls.

    Attributes:
        since_ms: milliseconds of Unix time of its first call.
        at_ms: of its last call.
        deficit: calls that were missing below 90 % of CPS, as of `at_ms`.
    """

    since_ms: int = 0
    at_ms: int = 0
    deficit: float = 0.0

    def seconds_at(self, now_ms: int, cps: float) -> float:
        """Return for how long the line has been going on at `now_ms`; 0 once there is a gap."""
        if not self.at_ms or self._deficit_at(now_ms, cps) > gap_calls(cps):
            return 0.0
        return max(0, now_ms - self.since_ms) / 1000

    def after(self, at_ms: int, cps: float) -> "Plateau":
        """Return the line after one more call, at `at_ms`; news out of order fills up the deficit."""
        deficit = self._deficit_at(at_ms, cps)
        if not self.at_ms or deficit > gap_calls(cps):
            return Plateau(at_ms, at_ms, 0.0)
        return Plateau(self.since_ms, max(at_ms, self.at_ms), max(0.0, deficit - 1))

    def _deficit_at(self, now_ms: int, cps: float) -> float:
        return self.deficit + FULL_SHARE * cps * max(0, now_ms - self.at_ms) / 1000


def gap_calls(cps: float) -> float:
    """Return how many missing calls make a gap."""
    return max(MIN_GAP_CALLS, GAP_SECONDS * FULL_SHARE * cps)
