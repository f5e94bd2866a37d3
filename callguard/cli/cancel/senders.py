"""Who has queued how many calls, without showing a number that was not asked for."""

from collections import Counter
from collections.abc import Iterator, Sequence

from callguard.domain.calls import ListedCall
from callguard.domain.numbers import masked

MAX_SENDERS = 10


class Senders:
    """The From numbers of calls, most calls first; `MAX_SENDERS` of them are named.

    Attributes:
        unnamed: how many more numbers there are.
        unnamed_calls: how many calls these have.
        has_alike: whether different numbers are shown by the same mask, told apart by `#1`, `#2`.
    """

    def __init__(self, calls: Sequence[ListedCall], *, shows_numbers: bool) -> None:
        """Count."""
        counts = Counter(call.from_number for call in calls)
        self._named = counts.most_common(MAX_SENDERS)
        self.unnamed = len(counts) - len(self._named)
        self.unnamed_calls = len(calls) - sum(count for _, count in self._named)
        self._names = [_name(number, shows_numbers=shows_numbers) for number, _ in self._named]
        self._alike = {name for name, times in Counter(self._names).items() if times > 1}
        self.has_alike = bool(self._alike)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """Yield a name, and how many calls are from it."""
        seen: Counter[str] = Counter()
        for name, (_, count) in zip(self._names, self._named, strict=True):
            seen[name] += 1
            yield (f"{name} #{seen[name]}" if name in self._alike else name), count

    def text(self) -> str:
        """Return them in one line."""
        names = [f"{name} ({count:,})" for name, count in self]
        return ", ".join([*names, f"{self.unnamed:,} more ({self.unnamed_calls:,})"] if self.unnamed else names)


def _name(number: str, *, shows_numbers: bool) -> str:
    if not number:
        return "(not told)"
    return number if shows_numbers else masked(number)
