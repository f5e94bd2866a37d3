"""Thresholds that fit an account, from its own ordinary days.

The history is played once without any threshold, with a queue or without one: a crossed rule opens an incident
either way. The highest figure of each day is noted. Days that stand out are left out and named, so that a runaway
does not become the account's baseline. A threshold that no day has reached is not suggested.
"""

import math
from array import array
from bisect import bisect_left
from collections.abc import Callable, Collection
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime
from statistics import median

from callguard.domain.backtest import Backtest, untold
from callguard.domain.history import NO_DESTINATION, History
from callguard.domain.policy import Policy
from callguard.domain.sources import Source

MARGIN = 1.5
"""A threshold is so many times the highest figure of the ordinary days.

On other days of the same traffic thresholds of 1 times trip on every account that was tried, of 1.25 times on
one, of 1.5 times on none. A runaway of 10 calls/s is seen 1.5 s later with 1.5 than with 1.25, and with 2 up to
3 s later still: `tests/benchmarks/detectors/suggested.py`.
"""

OUTLIER = 4.0
"""A day is left out where a figure is more than so many times that of the median day."""

MIN_DAYS = 3
MIN_CALLS = 100
DAY_MS = 86_400_000
_RATE_WINDOW_MS = 600_000
_UNREACHABLE = 10**12
_EVERYDAY_CALLS = 10
_MEASURED = (
    "spike_burst",
    "initiated_burst",
    "plateau_seconds",
    "max_drain_seconds",
    "max_backlog",
    "repeat_limit",
)
_FLOORS = {
    "spike_rate": 0.1,
    "initiated_rate": 0.1,
    "spike_burst": 30.0,
    "initiated_burst": 30.0,
    "plateau_seconds": 60.0,
    "max_backlog": 50.0,
    "max_drain_seconds": 60.0,
    "repeat_limit": 10.0,
}
"""No threshold is lower than this: below it, one busy minute of a person who dials would be a runaway."""

_CEILINGS = {"plateau_seconds": 86_400.0, "max_drain_seconds": 86_400.0, "repeat_limit": 1000.0}


@dataclass(frozen=True, slots=True)
class Suggested:
    """One policy key.

    Attributes:
        setting: the policy key.
        value: what to write; None where the history says nothing about it.
        highest: the highest figure of the ordinary days.
        at_ms: the day of that figure, as milliseconds of Unix time of its beginning.
    """

    setting: str
    value: float | None
    highest: float
    at_ms: int


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A day that stands out, with the figure that does, and that of the median day."""

    day: date
    setting: str
    figure: float
    usual: float


@dataclass(frozen=True, slots=True)
class Suggestion:
    """The thresholds, from which days, and why not if there are none.

    Attributes:
        settings: in the order of the policy's keys; empty with a `reason`.
        days: how many days they rest on.
        left_out: days that stand out.
        exempt: destinations (digits) that are called often every day.
        reason: why nothing is suggested; empty if something is.
    """

    settings: tuple[Suggested, ...] = ()
    days: int = 0
    left_out: tuple[LeftOut, ...] = ()
    exempt: tuple[int, ...] = ()
    reason: str = ""

    def applied_to(self, policy: Policy) -> Policy:
        """Return `policy` with what is suggested in place of its own."""
        counts = ("repeat_limit", "max_backlog")
        known = {one.setting: one.value for one in self.settings if one.value is not None}
        return replace(
            policy,
            **{key: int(value) if key in counts else value for key, value in known.items()},  # type: ignore[arg-type]
        )


def suggested(
    history: History,
    policy: Policy,
    *,
    ordinary: Collection[date] = (),
    margin: float = MARGIN,
    progress: Callable[[int], None] = untold,
) -> Suggestion:
    """Return the thresholds for what `history` shows; days in `ordinary` are never left out.

    Raises nothing: too little history gives a `reason`.
    """
    days = sorted({at_ms // DAY_MS for at_ms in history.created_ms})
    if len(days) < MIN_DAYS or len(history) < MIN_CALLS:
        return Suggestion(
            reason=f"{len(history):,} calls on {len(days)} days are too few to suggest anything from: it takes "
            f"{MIN_CALLS} calls on {MIN_DAYS} days"
        )
    exempt = _called_every_day(history, policy, len(days))
    dialled = array("q", (history.left_ms[call] for call in history.departures if history.dialled[call]))
    created_by_day, dialled_by_day = _busiest(history.created_ms), _busiest(dialled)
    kept, left_out = _ordinary({"spike_rate": created_by_day, "initiated_rate": dialled_by_day}, days, ordinary)
    if not kept:
        return Suggestion(left_out=left_out, reason="no day is like another")
    rates = [
        _of_peaks("spike_rate", created_by_day, kept, margin, digits=2),
        _of_peaks("initiated_rate", dialled_by_day, kept, margin, digits=2),
    ]
    measured = _measured(history, policy, rates, exempt, progress)
    kept, more = _ordinary(measured, kept, ordinary)
    if not kept:
        return Suggestion(left_out=(*left_out, *more), reason="no day is like another")
    settings = [_of_peaks(setting, measured[setting], kept, margin) for setting in _MEASURED]
    return Suggestion(tuple(rates + settings), len(kept), (*left_out, *more), exempt)


def _busiest(times_ms: "array[int]") -> dict[int, float]:
    """Return the calls per second of each day's busiest ten minutes; `times_ms` ascend."""
    busiest: dict[int, float] = {}
    for window_ms in (
        range(times_ms[0] // _RATE_WINDOW_MS, times_ms[-1] // _RATE_WINDOW_MS + 1) if times_ms else ()
    ):
        begin_ms = window_ms * _RATE_WINDOW_MS
        calls = bisect_left(times_ms, begin_ms + _RATE_WINDOW_MS) - bisect_left(times_ms, begin_ms)
        day = begin_ms // DAY_MS
        busiest[day] = max(busiest.get(day, 0.0), calls * 1000 / _RATE_WINDOW_MS)
    return busiest


def _called_every_day(history: History, policy: Policy, days: int) -> tuple[int, ...]:
    """Return the destinations that are called `_EVERYDAY_CALLS` times in a window on at least half of the days."""
    window_ms = policy.repeat_window_seconds * 1000
    counts: dict[tuple[int, int], int] = {}
    for destination, at_ms in zip(history.destinations, history.created_ms, strict=True):
        if destination != NO_DESTINATION:
            key = (destination, at_ms // window_ms)
            counts[key] = counts.get(key, 0) + 1
    busy: dict[int, set[int]] = {}
    for (destination, window), count in counts.items():
        if count >= _EVERYDAY_CALLS:
            busy.setdefault(destination, set()).add(window * window_ms // DAY_MS)
    return tuple(sorted(one for one, seen in busy.items() if 2 * len(seen) >= max(days, 2 * MIN_DAYS)))


def _ordinary(
    peaks: dict[str, dict[int, float]], days: list[int], wanted: Collection[date]
) -> tuple[list[int], tuple[LeftOut, ...]]:
    """Part the days into ordinary ones and those of which a figure stands out."""
    left_out: dict[int, LeftOut] = {}
    for setting, by_day in peaks.items():
        usual = median(by_day.get(day, 0.0) for day in days)
        bound = max(OUTLIER * usual, _FLOORS[setting])
        for day in days:
            figure = by_day.get(day, 0.0)
            if figure > bound and day not in left_out and _date(day) not in wanted:
                left_out[day] = LeftOut(_date(day), setting, figure, usual)
    return [day for day in days if day not in left_out], tuple(left_out[day] for day in sorted(left_out))


def _of_peaks(
    setting: str, by_day: dict[int, float], days: list[int], margin: float, digits: int = 0
) -> Suggested:
    day = max(days, key=lambda one: by_day.get(one, 0.0))
    highest = by_day.get(day, 0.0)
    if highest <= 0:
        return Suggested(setting, None, 0.0, day * DAY_MS)
    scale = 10**digits
    value = max(_FLOORS[setting], math.ceil(highest * margin * scale) / scale)
    return Suggested(setting, min(value, _CEILINGS.get(setting, math.inf)), highest, day * DAY_MS)


def sparing(history: History, policy: Policy) -> dict[int, dict[str, int]]:
    """Return by day (days of Unix time) the least whole values with which `policy` would have crossed no rule.

    Only what must change is named: with the policy's own rates, and whether calls were queued or not.
    """
    spared: dict[int, dict[str, int]] = {}
    for setting, by_day in _measured(history, policy, [], (), untold).items():
        for day, highest in by_day.items():
            least = math.floor(highest) + 1
            if least > getattr(policy, setting):
                spared.setdefault(day, {})[setting] = least
    return spared


def _measured(
    history: History,
    policy: Policy,
    rates: list[Suggested],
    exempt: Collection[int],
    progress: Callable[[int], None],
) -> dict[str, dict[int, float]]:
    known = {one.setting: one.value for one in rates if one.value is not None}
    far = replace(policy, **dict.fromkeys(_MEASURED, _UNREACHABLE), **known)  # type: ignore[arg-type]
    gauge = _DailyGauge(history, far, exempt, progress)
    gauge.run()
    return gauge.by_day()


@dataclass(slots=True)
class _Day:
    number: int = -1
    figures: list[float] = field(default_factory=lambda: [0.0] * len(_MEASURED))


class _DailyGauge(Backtest):
    """A backtest that judges nothing and notes each day's highest figures, with a queue or without."""

    def __init__(
        self, history: History, policy: Policy, exempt: Collection[int], progress: Callable[[int], None]
    ) -> None:
        super().__init__(history, policy, Source.REPORT, progress=progress)
        self._exempt = frozenset(exempt)
        self._times_called = 0
        self._today = _Day()
        self._days: list[_Day] = []

    def judge(self, at_ms: int) -> None:
        """Note the figures of this moment."""
        if at_ms // DAY_MS != self._today.number:
            self._today = _Day(at_ms // DAY_MS)
            self._days.append(self._today)
        highest = self._today.figures
        seen = (*self.replay.figures(at_ms), float(self.replay.cancellable), float(self._times_called))
        for place, figure in enumerate(seen):
            if figure > highest[place]:
                highest[place] = figure
        self._times_called = 0

    def heard_call(self, destination: int, at_ms: int) -> None:
        """Note how often the destination was called lately, unless it is one that is called every day."""
        if destination != NO_DESTINATION and destination not in self._exempt:
            self._times_called = max(self._times_called, self.replay.called(destination, at_ms))

    def by_day(self) -> dict[str, dict[int, float]]:
        """Return each setting's highest figure by day, without figures that were reached only in passing."""
        least = {"max_backlog": 2.0, "max_drain_seconds": 0.5, "plateau_seconds": 1.0}
        return {
            setting: {
                day.number: day.figures[place] if day.figures[place] >= least.get(setting, 0.0) else 0.0
                for day in self._days
            }
            for place, setting in enumerate(_MEASURED)
        }


def _date(day: int) -> date:
    return datetime.fromtimestamp(day * 86_400, UTC).date()
