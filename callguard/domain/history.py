"""An account's past calls, kept in flat arrays: a million of them in some 40 MB."""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import pairwise
from typing import NamedTuple

from callguard.domain.addresses import NumberList, is_emergency
from callguard.domain.calls import CallStatus
from callguard.domain.policy import Policy

NEVER_MS = 2**62
NO_DESTINATION = -1
_MAX_NUMBER = 15


class HistoricCall(NamedTuple):
    """A call of the past as Twilio tells of it. Times are milliseconds of Unix time, None where not told.

    Attributes:
        call_sid: `CA` and 32 hex digits; empty where it is not told.
        created_ms: when it entered the queue.
        started_ms: when it was dialled.
        ended_ms: when it was over.
        queue_ms: how long Twilio expected it to wait.
        status: what became of it, or what it is; None where it is not told.
        is_child: True for inbound calls and child legs, which do not go through the queue.
        from_number: the caller.
        to_number: the person called.
    """

    call_sid: str
    created_ms: int | None
    started_ms: int | None
    ended_ms: int | None
    queue_ms: int | None
    status: CallStatus | None
    is_child: bool
    from_number: str
    to_number: str


@dataclass(frozen=True, slots=True)
class History:
    """Calls in order of creation.

    Attributes:
        created_ms: when each entered the queue; ascends.
        left_ms: when each left it; `NEVER_MS` for those that were still queued at the end.
        dialled: 1 for those that left it to be dialled.
        protected: 1 for those on the `never_cancel` list, and for those to emergency numbers.
        destinations: the digits of To, `NO_DESTINATION` where it is none.
        departures: the calls in the order in which they left.
    """

    created_ms: "array[int]"
    left_ms: "array[int]"
    dialled: bytearray
    protected: bytearray
    destinations: "array[int]"
    departures: "array[int]"

    def __len__(self) -> int:
        return len(self.created_ms)

    def deepened(self, depth: int) -> Iterator[int]:
        """Yield each time at which the queue reached `depth` calls, not counting those that are protected."""
        left, queued = 0, 0
        for call, at_ms in enumerate(self.created_ms):
            while self.left_ms[self.departures[left]] < at_ms:
                queued -= not self.protected[self.departures[left]]
                left += 1
            if not self.protected[call]:
                queued += 1
                if queued == depth:
                    yield at_ms


class HistoryBuilder:
    """Collects calls in any order."""

    def __init__(self, policy: Policy) -> None:
        """Mark the calls that `policy` never cancels."""
        self._never_cancel = NumberList(policy.never_cancel) if policy.never_cancel else None
        self._repeat_exempt = NumberList(policy.repeat_exempt)
        self._created_ms, self._left_ms, self._destinations = array("q"), array("q"), array("q")
        self._dialled, self._protected = bytearray(), bytearray()
        self._known: set[int] = set()
        self._has_fractions = False
        self.children = 0
        self.repeated = 0
        self.undated = 0
        self.waited = 0

    def __len__(self) -> int:
        return len(self._created_ms)

    def add(self, call: HistoricCall) -> None:
        """Take a call, or count the reason why it is left out."""
        if call.is_child:
            self.children += 1
            return
        if call.call_sid and self._is_known(call.call_sid):
            self.repeated += 1
            return
        created_ms = _creation(call)
        if created_ms is None:
            self.undated += 1
            return
        left_ms = max(created_ms, _departure(call, created_ms))
        self.waited += left_ms > created_ms
        if created_ms % 1000:
            self._has_fractions = True
        self._created_ms.append(created_ms)
        self._left_ms.append(left_ms)
        self._dialled.append(_was_dialled(call))
        is_exempt = call.to_number in self._repeat_exempt
        self._destinations.append(NO_DESTINATION if is_exempt else _destination(call.to_number))
        self._protected.append(self._is_protected(call))

    def build(self) -> History:
        """Return the history.

        Twilio's times are whole seconds, in each of which a runaway creates hundreds of calls: those of one
        second are spread over it, as `by_creation` does, the first to leave first.
        """
        order = sorted(range(len(self)), key=self._left_ms.__getitem__)
        order.sort(key=self._created_ms.__getitem__)
        created_ms, left_ms = _picked(self._created_ms, order), _picked(self._left_ms, order)
        departures = array("q", sorted(range(len(self)), key=left_ms.__getitem__))
        if not self._has_fractions:
            _spread(created_ms)
            left_ms, departures = _spread_departures(created_ms, left_ms, departures)
        return History(
            created_ms,
            left_ms,
            bytearray(map(self._dialled.__getitem__, order)),
            bytearray(map(self._protected.__getitem__, order)),
            _picked(self._destinations, order),
            departures,
        )

    def _is_known(self, call_sid: str) -> bool:
        mark = hash(call_sid)  # a number is a third of a SID, and two SIDs of one history never share it
        if mark in self._known:
            return True
        self._known.add(mark)
        return False

    def _is_protected(self, call: HistoricCall) -> bool:
        listed = self._never_cancel
        if is_emergency(call.to_number):
            return True
        return listed is not None and (call.from_number in listed or call.to_number in listed)


def _creation(call: HistoricCall) -> int | None:
    if call.created_ms is not None or call.started_ms is None:
        return call.created_ms
    return call.started_ms - (call.queue_ms or 0)


def _departure(call: HistoricCall, created_ms: int) -> int:
    """Return when a call left the queue; without a time of dialling, at its end, or when it was due."""
    if call.started_ms is not None:
        return call.started_ms
    if call.status is CallStatus.QUEUED:
        return NEVER_MS
    return call.ended_ms if call.ended_ms is not None else created_ms + (call.queue_ms or 0)


def _was_dialled(call: HistoricCall) -> bool:
    return call.started_ms is not None or call.status is None or call.status.has_been_dialled


def _destination(number: str) -> int:
    digits = number[1:] if number[:1] == "+" else number
    is_one = digits.isdigit() and digits.isascii() and 3 <= len(digits) <= _MAX_NUMBER
    return int(digits) if is_one else NO_DESTINATION


def _picked(values: "array[int]", order: list[int]) -> "array[int]":
    return array("q", map(values.__getitem__, order))


def _spread(times_ms: "array[int]") -> None:
    """Spread equal times, which are whole seconds in a row that ascends, over their second."""
    bounds = [0, *(i + 1 for i, (one, other) in enumerate(pairwise(times_ms)) if one != other), len(times_ms)]
    for begin, end in pairwise(bounds):
        count, second_ms = end - begin, times_ms[begin] if begin < end else NEVER_MS
        if count > 1 and second_ms < NEVER_MS:
            times_ms[begin:end] = array("q", [second_ms + place * 1000 // count for place in range(count)])


def _spread_departures(
    created_ms: "array[int]", left_ms: "array[int]", departures: "array[int]"
) -> "tuple[array[int], array[int]]":
    times_ms = array("q", map(left_ms.__getitem__, departures))
    _spread(times_ms)
    spread = array("q", left_ms)
    for call, at_ms in zip(departures, times_ms, strict=True):
        spread[call] = max(at_ms, created_ms[call])
    return spread, array("q", sorted(departures, key=spread.__getitem__))
