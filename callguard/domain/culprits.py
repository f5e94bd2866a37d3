"""Which From numbers carry a spike."""

from collections.abc import Iterable
from dataclasses import dataclass

MIN_SHARE = 0.1
MAX_CULPRITS = 5


@dataclass(frozen=True, slots=True)
class Sender:
    """One From number, and how many of its calls are above the rate that may go on for ever.

    Attributes:
        sender: the keyed hash of the number.
        shown: the number, masked.
        level: calls above the rate.
    """

    sender: str
    shown: str
    level: float


@dataclass(frozen=True, slots=True)
class Culprit:
    """A number that carries a share (0 to 1) of a spike."""

    sender: str
    shown: str
    share: float


def carriers(senders: Iterable[Sender], level: float) -> frozenset[str]:
    """Return the few numbers that carry a spike: without them, the others are below `level` together.

    Empty if it takes more than a few, or if there is no spike.
    """
    loudest = sorted(senders, key=lambda sender: sender.level, reverse=True)
    rest = sum(sender.level for sender in loudest)
    taken = set()
    for sender in loudest[:MAX_CULPRITS]:
        if rest >= level:
            taken.add(sender.sender)
            rest -= sender.level
    return frozenset(taken) if rest < level else frozenset()


def culprits(senders: Iterable[Sender]) -> list[Culprit]:
    """Return the numbers that carry a tenth or more of all that is above the rate, the greatest first."""
    loud = [sender for sender in senders if sender.level > 0]
    total = sum(sender.level for sender in loud)
    named = [Culprit(s.sender, s.shown, s.level / total) for s in loud if s.level >= MIN_SHARE * total]
    return sorted(named, key=lambda culprit: culprit.share, reverse=True)[:MAX_CULPRITS]
