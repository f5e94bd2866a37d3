"""The tally of an incident or cancel run: every call by its outcome, so that the sum adds up."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum


class Outcome(Enum):
    """What became of a call that was queued during an incident."""

    CANCELLED = "cancelled"
    DIALLED = "dialled"
    GONE = "gone"
    PROTECTED = "spared"
    FAILED = "failed"
    OBSERVED = "observed"

    @property
    def words(self) -> str:
        """As people read it; the value is what is stored, and the label of metrics."""
        return "protected" if self is Outcome.PROTECTED else self.value


@dataclass(frozen=True, slots=True)
class Tally:
    """All calls that were found, each once.

    Attributes:
        outcomes: how many ended in which way.
        remaining: how many are queued and to be cancelled.
        protected: how many are queued and never cancelled; those that have left are an outcome.
    """

    outcomes: Mapping[Outcome, int] = field(default_factory=dict)
    remaining: int = 0
    protected: int = 0

    @property
    def found(self) -> int:
        """All of them."""
        return sum(self.outcomes.values()) + self.remaining + self.protected

    @property
    def is_clean(self) -> bool:
        """Whether every call that was to be cancelled has come to an end."""
        return not self.remaining and not self.count(Outcome.FAILED)

    def count(self, outcome: Outcome) -> int:
        """Return how many calls ended with `outcome`."""
        return self.outcomes.get(outcome, 0)

    def terms(self, *, with_zeros: bool = False) -> list[str]:
        """Return the terms of the sum in words; usual terms that are 0 only `with_zeros`, unusual ones never."""
        counts = [(self.count(outcome), outcome.words, outcome is not Outcome.OBSERVED) for outcome in Outcome]
        counts += [(self.protected, "protected and still queued", False), (self.remaining, "remaining", True)]
        return [f"{count:,} {what}" for count, what, is_usual in counts if count or (with_zeros and is_usual)]

    def summary(self, *, with_zeros: bool = False) -> str:
        """Return the sum in words, such as `9 found = 7 cancelled + 2 dialled`."""
        terms = self.terms(with_zeros=with_zeros)
        return f"{self.found:,} found" + (f" = {' + '.join(terms)}" if terms else "")
