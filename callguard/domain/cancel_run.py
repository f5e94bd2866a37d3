"""A clearing: what a person has cancelled by hand, and an account of every call of it that adds up."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from callguard.domain.calls import ListedCall, by_creation
from callguard.domain.incidents import Outcome
from callguard.domain.parties import PartyHasher


@dataclass(frozen=True, slots=True)
class FoundCall:
    """A queued call that is meant: when it was created (Unix ms), and whether it is never cancelled."""

    call_sid: str
    created_ms: int
    spared: bool


@dataclass(frozen=True, slots=True)
class Added:
    """What a list has brought.

    Attributes:
        fresh: calls that are to be cancelled: new ones, and those that are tried again.
        again: the latter of them.
        over: calls that have been settled, and still are listed: the list lags.
    """

    fresh: int = 0
    again: int = 0
    over: int = 0

    def __add__(self, other: "Added") -> "Added":
        return Added(self.fresh + other.fresh, self.again + other.again, self.over + other.over)


@dataclass(frozen=True, slots=True)
class Tally:
    """All calls that were found, by what became of them.

    Attributes:
        found: every call that was meant, each once.
        outcomes: how many ended in which way.
        remaining: how many are not settled.
    """

    found: int = 0
    outcomes: Mapping[Outcome, int] = field(default_factory=dict)
    remaining: int = 0

    def count(self, outcome: Outcome) -> int:
        """Return how many calls ended with `outcome`."""
        return self.outcomes.get(outcome, 0)

    @property
    def is_clean(self) -> bool:
        """Whether every call that was to be cancelled has come to an end."""
        return not self.remaining and not self.count(Outcome.FAILED)

    def summary(self) -> str:
        """Return the account in words, as a sum."""
        parts = [f"{self.count(outcome):,} {outcome.value}" for outcome in _SHOWN]
        return f"{self.found:,} found = " + " + ".join([*parts, f"{self.remaining:,} remaining"])


@dataclass(frozen=True, slots=True)
class UnfinishedRun:
    """A clearing that was broken off.

    Attributes:
        id: its own.
        began_ms: when it began, in milliseconds of Unix time.
        sealed_numbers: the numbers of its selection, sealed.
        since_ms: only calls created then or later were meant, in Unix ms; None for no bound.
        before_ms: only calls created before then.
        account: how far it came.
    """

    id: str
    began_ms: int
    numbers_digest: str
    since_ms: int | None
    before_ms: int | None
    account: Tally


_SHOWN = (Outcome.CANCELLED, Outcome.DIALLED, Outcome.GONE, Outcome.SPARED, Outcome.FAILED)


def found_calls(listed: Sequence[ListedCall], hasher: PartyHasher, now_ms: int) -> Iterator[FoundCall]:
    """Yield the calls oldest first. Whoever is on `never_cancel`, or not told, is spared."""
    for created_ms, call in by_creation(listed, now_ms):
        yield FoundCall(call.call_sid, created_ms, hasher.is_spared(call.from_number, call.to_number))
