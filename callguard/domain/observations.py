"""What comes of telling the store some news."""

from dataclasses import dataclass

from callguard.domain.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Observation:
    """What came of telling the store some news.

    Attributes:
        counted: how many of the events were news.
        snapshot: the account after them; None where no rule can have been crossed, if that was asked for.
        may_warn: whether a rule may have come as far as its warning.
    """

    counted: int
    snapshot: Snapshot | None
    may_warn: bool = False


@dataclass(frozen=True, slots=True)
class Reported:
    """What came of noting reports.

    Attributes:
        counted: how many of the calls were news.
        may_cross: whether they would cross a rule if they were true.
    """

    counted: int
    may_cross: bool
