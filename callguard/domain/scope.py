"""Which calls an incident is about. All others are left alone."""

from collections.abc import Sequence
from dataclasses import dataclass

from callguard.domain.culprits import Culprit

FEW_CARRY = 0.8
"""Numbers that carry this share of a spike are the spike; calls from others are no part of it."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The calls that an incident may cancel: created since a moment, and from some numbers.

    Attributes:
        since_ms: calls created before it are out of scope; milliseconds of Unix time, 0 for no cut-off.
        senders: keyed hashes of the From numbers in scope (`CallEvent.sender`); empty: every number.
    """

    since_ms: int = 0
    senders: frozenset[str] = frozenset()

    def takes(self, created_ms: int, sender: str) -> bool:
        """Return whether a call from `sender` that was created at `created_ms` is in scope."""
        return created_ms >= self.since_ms and (not self.senders or sender in self.senders)


EVERY_CALL = Scope()


def scope_of(since_ms: int, culprits: Sequence[Culprit]) -> Scope:
    """Return the scope of a trip: only the numbers that carry the spike, where a few do."""
    few = sum(culprit.share for culprit in culprits) >= FEW_CARRY
    return Scope(since_ms, frozenset(culprit.sender for culprit in culprits) if few else frozenset())
