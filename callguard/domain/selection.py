"""Which queued calls a person wants cancelled, checked in code whatever Twilio's own filters do."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Self

from callguard.domain.addresses import NumberList, canonical
from callguard.domain.calls import ListedCall


@dataclass(frozen=True, slots=True)
class Selection:
    """Calls by their numbers and their time of creation. What is left out takes every call.

    Attributes:
        senders: From numbers, exact or prefixes that end in `*`.
        receivers: To numbers, likewise.
        since_ms: created then or later, in milliseconds of Unix time; None for no bound.
        before_ms: created before then.
    """

    senders: tuple[str, ...] = ()
    receivers: tuple[str, ...] = ()
    since_ms: int | None = None
    before_ms: int | None = None

    def of(self, calls: Sequence[ListedCall]) -> list[ListedCall]:
        """Return the calls that are meant, in their order."""
        senders, receivers = NumberList(self.senders), NumberList(self.receivers)
        return [
            call
            for call in calls
            if (not self.senders or call.from_number in senders)
            and (not self.receivers or call.to_number in receivers)
            and (self.since_ms is None or call.created_ms >= self.since_ms)
            and (self.before_ms is None or call.created_ms < self.before_ms)
        ]

    @property
    def from_number(self) -> str | None:
        """The one From number that Twilio may filter by; None where there are several, or a prefix."""
        return _only_number(self.senders)

    @property
    def to_number(self) -> str | None:
        """The same of To."""
        return _only_number(self.receivers)

    def begins_after(self, now_ms: int) -> bool:
        """Whether it takes only calls that are created later than now."""
        return self.since_ms is not None and self.since_ms > now_ms

    @property
    def takes_every_call(self) -> bool:
        """Whether nothing narrows it."""
        return self == Selection()

    def text_of_numbers(self) -> str:
        """Return the numbers as one text, of which only the digest is stored; equal for equal numbers."""
        return repr((sorted(set(self.senders)), sorted(set(self.receivers))))

    def with_times(self, since_ms: int | None, before_ms: int | None) -> Self:
        """Return the same numbers within other times."""
        return replace(self, since_ms=since_ms, before_ms=before_ms)


def _only_number(patterns: Sequence[str]) -> str | None:
    """Return the only number; None if Twilio, which compares letter by letter, might know it without its `+`."""
    if len(patterns) != 1 or patterns[0].endswith("*") or canonical(patterns[0]) != patterns[0]:
        return None
    return patterns[0]
