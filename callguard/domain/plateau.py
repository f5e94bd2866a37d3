"""The plateau: calls that leave the queue as fast as the account lets them, for too long.

Callbacks show a runaway of any size as a flat line at CPS. The deficit, the calls that are missing below 90 % of
CPS, is a leaky bucket turned upside down: CPS is a mean, so a second may miss it
(https://www.twilio.com/docs/glossary/what-is-cps), but a line with a gap is none. The Lua of `observe_calls` does
the same arithmetic inside Redis; a test holds the two together.
"""

from dataclasses import dataclass

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
        """Return the line after one more call, at `at_ms`; late news of older calls lessens the deficit."""
        deficit = self._deficit_at(at_ms, cps)
        if not self.at_ms or deficit > gap_calls(cps):
            return Plateau(at_ms, at_ms, 0.0)
        return Plateau(self.since_ms, max(at_ms, self.at_ms), max(0.0, deficit - 1))

    def _deficit_at(self, now_ms: int, cps: float) -> float:
        return self.deficit + FULL_SHARE * cps * max(0, now_ms - self.at_ms) / 1000


def gap_calls(cps: float) -> float:
    """Return how many missing calls make a gap."""
    return max(MIN_GAP_CALLS, GAP_SECONDS * FULL_SHARE * cps)
