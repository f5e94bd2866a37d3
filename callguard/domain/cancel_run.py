"""A cancel run: what a person has cancelled by hand."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from callguard.domain.calls import ListedCall, by_creation
from callguard.domain.parties import PartyHasher
from callguard.domain.tally import Tally


@dataclass(frozen=True, slots=True)
class FoundCall:
    """A queued call that matches: when it was created (Unix ms), and whether it is never cancelled."""

    call_sid: str
    created_ms: int
    protected: bool


@dataclass(frozen=True, slots=True)
class Added:
    """What adding a list has changed.

    Attributes:
        fresh: calls that are to be cancelled: new ones, and those that are tried again.
        again: those of `fresh` that are tried again.
        over: calls that have been settled, and still are listed: the list lags.
    """

    fresh: int = 0
    again: int = 0
    over: int = 0

    def __add__(self, other: "Added") -> "Added":
        return Added(self.fresh + other.fresh, self.again + other.again, self.over + other.over)


@dataclass(frozen=True, slots=True)
class UnfinishedRun:
    """A cancel run that was broken off.

    Attributes:
        id: its own.
        began_ms: when it began, in milliseconds of Unix time.
        numbers_digest: the keyed hash of the numbers of its selection.
        since_ms: only calls created then or later were meant, in Unix ms; None for no bound.
        before_ms: only calls created before then.
        tally: how far it came.
    """

    id: str
    began_ms: int
    numbers_digest: str
    since_ms: int | None
    before_ms: int | None
    tally: Tally


def found_calls(listed: Sequence[ListedCall], hasher: PartyHasher, now_ms: int) -> Iterator[FoundCall]:
    """Yield the calls oldest first. Calls on `never_cancel`, or with an unknown From or To, are protected."""
    for created_ms, call in by_creation(listed, now_ms):
        yield FoundCall(call.call_sid, created_ms, hasher.is_protected(call.from_number, call.to_number))
