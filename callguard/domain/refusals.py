"""Which requests Twilio refuses with 429, and what share of them it would refuse at any load."""

import math
from dataclasses import dataclass, field

MAX_BY_CHANCE = 1 / 3
"""A greater share of refusals is never taken for chance: then Twilio is at its ceiling."""

DEVIATIONS = 2.0

MEMORY = 0.6
"""The weight of earlier observations is multiplied by this at each new one."""

MIN_REMEMBERED = 0.5


def most_by_chance(share: float, sent: int, known_from: float = math.inf) -> float:
    """Return how many of `sent` requests may be refused by chance, if that `share` of all requests is.

    `known_from` is the number of requests from which the share is known: with fewer it is trusted less.
    """
    expected = share * sent
    return expected + DEVIATIONS * math.sqrt(expected * (1 + sent / known_from) + 0.25) if share else 0.0


@dataclass(slots=True)
class Round:
    """A round: the requests from number `first` on. Requests are numbered one after the other.

    A refusal may come back at once, a served request only when Twilio has done the work. So the share of refusals
    is counted among the requests that were sent before the last one served.

    Attributes:
        first: the number of the first request.
        wanted: how many requests are to be counted.
        served_up_to: the highest number that was served.
        refused: the numbers that were refused.
        borne: how many were under way before the first refusal.
        is_used: whether as many requests were under way as were allowed.
    """

    first: int
    wanted: float
    served_up_to: int = 0
    refused: list[int] = field(default_factory=list)
    borne: float = math.inf
    is_used: bool = False

    @property
    def counted(self) -> int:
        """How many requests are counted."""
        return max(0, self.served_up_to - self.first + 1)

    @property
    def counted_refused(self) -> int:
        """How many of them were refused."""
        return sum(number <= self.served_up_to for number in self.refused)

    def sent(self, last: int) -> int:
        """Return how many requests there are; `last` is the number of the last one."""
        return last - self.first + 1


@dataclass(slots=True)
class Baseline:
    """The share of requests that is refused at a lesser load too, and so has nothing to do with the load."""

    _counted: float = 0.0
    _refused: float = 0.0

    @property
    def share(self) -> float:
        """0 where nothing is refused, `MAX_BY_CHANCE` at most."""
        if self._refused < MIN_REMEMBERED:
            return 0.0
        return min(MAX_BY_CHANCE, self._refused / self._counted)

    def learn(self, refused: int, counted: int) -> None:
        """Take note of requests at a lesser load."""
        self._counted = MEMORY * self._counted + counted
        self._refused = MEMORY * self._refused + refused

    def explains(self, refused: int, counted: int) -> bool:
        """Return whether so many refusals may be chance."""
        return refused <= most_by_chance(self.share, counted, self._counted)
