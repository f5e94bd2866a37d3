"""How many requests to have under way at Twilio, whose ceiling is unpublished."""

from dataclasses import dataclass

_DECREASE = 0.7


@dataclass(slots=True)
class ConcurrencyLimit:
    """Additive increase, multiplicative decrease (Chiu and Jain 1989), as TCP finds a path's capacity.

    A refusal (429) cuts the limit once per round trip: refusals of requests that were sent before the last
    cut tell nothing new.
    """

    limit: float = 20.0
    ceiling: int = 100
    floor: int = 1
    _cut_at: float = float("-inf")

    def accepted(self) -> None:
        """Take note of a request that Twilio has served."""
        step = min(4.0, max(1.0, self.limit / 5))  # calls more per round trip
        self.limit = min(self.ceiling, self.limit + step / self.limit)

    def refused(self, sent_at: float, now: float) -> None:
        """Take note of a 429 for a request sent at `sent_at` (seconds of any monotonic clock)."""
        if sent_at <= self._cut_at:
            return
        self._cut_at = now
        self.limit = max(self.floor, self.limit * _DECREASE)

    @property
    def allowed(self) -> int:
        """Requests that may be under way now."""
        return int(self.limit)
