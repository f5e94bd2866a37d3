"""The wake of a campaign: ordinary calls that piled up behind its calls and leave the queue at the same rate.

Calls leaving the queue look the same in such a pile and in a runaway, so the rules on dialled calls ignore them.
The rules on calls entering the queue, and on the queue itself, go on. The Lua of `observe_calls` does the same.
"""

from dataclasses import dataclass, field

from callguard.domain.plateau import Plateau

MIN_MS = 60_000


@dataclass(frozen=True, slots=True)
class Wake:
    """The line of all calls that were dialled without a gap since an announced one.

    Attributes:
        line: that line; it begins with an announced call.
        announced_ms: when the last announced call was dialled, in milliseconds of Unix time; 0 for never.
    """

    line: Plateau = field(default_factory=Plateau)
    announced_ms: int = 0

    def after(self, at_ms: int, cps: float, *, announced: bool) -> "Wake":
        """Return the wake after one more call was dialled, at `at_ms`."""
        if not announced and not self.announced_ms:
            return self
        line = self.line.after(at_ms, cps)
        if announced:
            return Wake(line, max(at_ms, self.announced_ms))
        return Wake(line, self.announced_ms) if line.since_ms <= self.announced_ms else Wake()

    def covers(self, at_ms: int) -> bool:
        """Return whether a call that was dialled at `at_ms` may have waited behind a campaign.

        The pile is worked off in less time than it took to grow; so a wake is at most as long as its campaign.
        """
        if not self.announced_ms:
            return False
        return at_ms - self.announced_ms <= max(MIN_MS, self.announced_ms - self.line.since_ms)
