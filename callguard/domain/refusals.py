"""Which of our requests Twilio refuses (429), and which share of them it would refuse at any load."""

import math
from dataclasses import dataclass, field

MOST_BY_CHANCE = 0.25
"""More than a quarter is never taken for bad luck: then Twilio is full."""

DEVIATIONS = 2.0
MEMORY = 0.6
LEAST_REMEMBERED = 0.5


def most_by_chance(share: float, sent: int) -> float:
    """Return how many of `sent` requests may be refused by chance where that `share` of all requests is."""
    expected = share * sent
    return expected + DEVIATIONS * math.sqrt(expected + 0.25) if share else 0.0


@dataclass(slots=True)
class Round:
    """The requests since one of them, which is called its first; their numbers grow by one.

    A refusal may come back at once, and all else only after Twilio has done the work. So what share is refused is
    counted among those requests only that were sent before the last one that has been served.

    Attributes:
        first: the number of the first request.
        served_up_to: the highest number that was served.
        refused: the numbers that were refused.
        is_used: whether as many requests were under way as were allowed.
    """

    first: int
    served_up_to: int = 0
    refused: list[int] = field(default_factory=list)
    is_used: bool = False

    @property
    def counted(self) -> int:
        """How many requests are counted."""
        return max(0, self.served_up_to - self.first + 1)

    @property
    def counted_refused(self) -> int:
        """How many of them were refused."""
        return sum(number <= self.served_up_to for number in self.refused)

    def exceeds(self, share: float, last: int) -> bool:
        """Return whether more were refused than by chance; `last` is the number of the last request sent."""
        return len(self.refused) > most_by_chance(share, last - self.first + 1)


@dataclass(slots=True)
class Baseline:
    """The share of requests that is refused at a lesser load too, and so has nothing to do with the load."""

    _counted: float = 0.0
    _refused: float = 0.0

    @property
    def share(self) -> float:
        """0 where nothing is refused, `MOST_BY_CHANCE` at most."""
        if self._refused < LEAST_REMEMBERED:
            return 0.0
        return min(MOST_BY_CHANCE, self._refused / self._counted)

    def learn(self, refused: int, counted: int) -> None:
        """Take note of requests at a lesser load; those of former times count for less and less."""
        self._counted = MEMORY * self._counted + counted
        self._refused = MEMORY * self._refused + refused

    def explains(self, refused: int, counted: int) -> bool:
        """Return whether so many refusals may be chance."""
        return refused <= most_by_chance(self.share, counted)
