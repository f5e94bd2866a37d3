"""Plain counts of 60 s over what a source hears, the announced campaign left out: the rules' rivals."""

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable

from tests.benchmarks.detectors.rate_queue import RateQueue
from tests.benchmarks.detectors.sources import Source
from tests.benchmarks.detectors.traffic import Kind

WINDOW_MS = 60_000
POLL_MS = 5_000


def heard(queue: RateQueue, source: Source, phase_ms: int = 0) -> list[int]:
    """Return when calls are heard of through `source`; the list is read every 5 s."""
    traffic = queue.traffic
    known = zip(traffic.created_ms, queue.dialled_ms, traffic.kinds, strict=True)
    calls = [(created, dialled) for created, dialled, kind in known if kind is not Kind.ANNOUNCED]
    if source is Source.ENTRANCE:
        return [created for created, _ in calls]
    if source is Source.CALLBACK:
        return [dialled for _, dialled in calls]
    polls = ((_poll_after(created, phase_ms), dialled) for created, dialled in calls)
    return [at_ms for at_ms, dialled in polls if at_ms < dialled]


def fixed_counts(times_ms: list[int]) -> list[int]:
    """Return for each event how many there have been in its minute by the clock."""
    counts: Counter[int] = Counter()
    seen = []
    for at_ms in times_ms:
        counts[at_ms // WINDOW_MS] += 1
        seen.append(counts[at_ms // WINDOW_MS])
    return seen


def sliding_counts(times_ms: list[int]) -> list[int]:
    """Return for each event how many there have been in the 60 s up to it."""
    first, seen = 0, []
    for place, at_ms in enumerate(times_ms):
        while times_ms[first] <= at_ms - WINDOW_MS:
            first += 1
        seen.append(place - first + 1)
    return seen


Counting = Callable[[list[int]], list[int]]
COUNTINGS: dict[str, Counting] = {"fixed 60 s": fixed_counts, "sliding 60 s": sliding_counts}


def least_threshold(counting: Counting, quiet: list[list[int]]) -> int:
    """Return the least count that none of the `quiet` histories reaches."""
    return 1 + max((count for times in quiet for count in counting(times)), default=0)


def alarm_ms(counting: Counting, threshold: int, times_ms: list[int], begin_ms: int) -> int | None:
    """Return when the count first reaches `threshold` from `begin_ms` on."""
    since = bisect_left(times_ms, begin_ms - WINDOW_MS)
    recent = times_ms[since:]
    for at_ms, count in zip(recent, counting(recent), strict=True):
        if at_ms >= begin_ms and count >= threshold:
            return at_ms
    return None


def _poll_after(at_ms: int, phase_ms: int) -> int:
    return phase_ms + -(-(at_ms - phase_ms) // POLL_MS) * POLL_MS
