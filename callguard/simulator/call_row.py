"""Calls in order of creation, walked from either end, from which calls depart at any place.

Departed calls stay in the row and are swept out once they are its greater part. So appending, departing and
finding a place stay cheap with a hundred thousand calls, and a walk passes two calls at most for each it finds.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from itertools import islice

from callguard.simulator.calls import Call


class CallRow:
    """Calls sorted by their number. Walks may show departed calls: the walker checks."""

    def __init__(self) -> None:
        self._calls: list[Call] = []
        self._departed = 0

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls)

    def append(self, call: Call) -> None:
        """Add a call, whose number must be above all others."""
        self._calls.append(call)

    def note_departure(self, stays: Callable[[Call], bool]) -> None:
        """Say that one more call has left; when many have, those that do not stay are swept away."""
        self._departed += 1
        if self._departed * 2 > len(self._calls):
            self._calls = [call for call in self._calls if stays(call)]
            self._departed = 0

    def oldest_first(self, after: int | None = None) -> Iterator[Call]:
        """Walk towards the newest, from behind the call with that number."""
        start = 0 if after is None else bisect_right(self._calls, after, key=_number)
        return islice(self._calls, start, None)

    def newest_first(self, after: int | None = None) -> Iterator[Call]:
        """Walk towards the oldest, from behind the call with that number."""
        calls = self._calls
        end = len(calls) if after is None else bisect_left(calls, after, key=_number)
        return (calls[place] for place in range(end - 1, -1, -1))


def _number(call: Call) -> int:
    return call.number
