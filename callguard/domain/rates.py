"""The leaky bucket: the guard's detector of rates that go on too long.

A leaky bucket is the Poisson CUSUM: O(1), without window edges, with a near-optimal delay for a given rate of
false alarms (Lucas 1985, "Counted data CUSUM's"; Moustakides 1986). `store/lua/observe_calls.lua` does the same
arithmetic inside Redis; a test holds the two together.
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
