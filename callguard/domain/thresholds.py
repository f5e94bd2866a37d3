"""The tightest thresholds with which a history would not have tripped the guard.

The history is played once without any threshold to see how far each statistic goes while a backlog is known, and
once more with the thresholds that follow, as a proof.
"""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from callguard.domain.backtest import ALERT_POLL_MS, Backtest, untold
from callguard.domain.history import NEVER_MS, NO_DESTINATION, History
from callguard.domain.policy import Policy
from callguard.domain.snapshot import SUSPICION_MS, Finding
from callguard.domain.sources import Source

_UNREACHABLE = 10**12
_MAX_PROOFS = 8
_EXACT_PROOFS = 2
_STRIDE = 2.0
_MAX_HOLD_MS = 2 * SUSPICION_MS
_MIN = {
    "spike_burst": 1, "initiated_burst": 1, "plateau_seconds": 10, "repeat_limit": 2, "max_backlog": 1,
    "max_drain_seconds": 1,
}  # fmt: skip
_HEARD = {
    Source.REPORT: tuple(_MIN),
    Source.CALLBACK: ("initiated_burst", "plateau_seconds", "repeat_limit"),
    Source.POLL: ("spike_burst", "repeat_limit", "max_backlog", "max_drain_seconds"),
}


@dataclass(frozen=True, slots=True)
class Threshold:
    """One rule's setting.

    Attributes:
        setting: the policy key.
        configured: its value in the policy that was tried.
        tightest: its least value without a trip; None if the source gives this rule nothing to count.
        reached: how far the statistic went while `min_backlog` calls were queued.
    """

    setting: str
    configured: float
    tightest: float | None
    reached: float = 0.0


@dataclass(frozen=True, slots=True)
class Tightest:
    """The thresholds, and whether playing the history with them did not trip."""

    thresholds: tuple[Threshold, ...]
    is_proven: bool


def tightest(
    history: History,
    policy: Policy,
    source: Source,
    *,
    progress: Callable[[int], None] = untold,
) -> Tightest:
    """Return the least value of each rule's setting that would not have tripped, all together."""
    reached = _reached(history, policy, source, progress)
    wanted = {setting: _just_above(setting, reached[setting]) for setting in _HEARD[source]}
    is_proven = False
    for proof in range(1, _MAX_PROOFS + 1):
        trips = Backtest(history, _with(policy, wanted), source, progress=progress).run()
        if is_proven := not trips:
            break
        if proof == 1 and source is Source.POLL:
            # Tight rules ask for lists more often than every `poll_seconds`, and so see more.
            often = replace(policy, poll_seconds=min(policy.poll_seconds, ALERT_POLL_MS / 1000))
            reached = _reached(history, often, source, progress)
            wanted = {setting: max(wanted[setting], _just_above(setting, reached[setting])) for setting in wanted}
        for trip in trips:
            _raise(wanted, reached, trip.finding, 1.0 if proof <= _EXACT_PROOFS else _STRIDE)
    thresholds = [
        Threshold(setting, getattr(policy, setting), wanted.get(setting), reached.get(setting, 0.0))
        for setting in _MIN
    ]
    return Tightest(tuple(thresholds), is_proven)


def _reached(
    history: History, policy: Policy, source: Source, progress: Callable[[int], None]
) -> dict[str, float]:
    gauge = _Gauge(history, _with(policy, dict.fromkeys(_MIN, _UNREACHABLE)), source, progress=progress)
    gauge.run()
    return {setting: peak.highest for setting, peak in gauge.peaks.items()}


def _with(policy: Policy, thresholds: dict[str, float]) -> Policy:
    counts = ("repeat_limit", "max_backlog")
    values: dict[str, Any] = {key: int(value) if key in counts else value for key, value in thresholds.items()}
    return replace(policy, **values)


def _just_above(setting: str, reached: float) -> float:
    """Return the least whole number that `reached` does not cross: a ceiling may be reached, a burst may not."""
    is_ceiling = setting in ("max_backlog", "max_drain_seconds")
    return max(_MIN[setting], math.ceil(reached) if is_ceiling else math.floor(reached) + 1)


def _raise(wanted: dict[str, float], reached: dict[str, float], finding: Finding, stride: float) -> None:
    setting = finding.setting
    reached[setting] = max(reached[setting], finding.observed)
    stepped = math.ceil(wanted.get(setting, 0) * stride)
    wanted[setting] = max(stepped, _just_above(setting, reached[setting]))


class _Peak:
    """The highest value of a statistic while a backlog was known, or in the length of a suspicion before."""

    __slots__ = ("_held", "_hold_ms", "highest")

    def __init__(self, hold_ms: int) -> None:
        self.highest = 0.0
        self._hold_ms = hold_ms
        self._held: deque[tuple[int, float]] = deque()

    def see(self, value: float, at_ms: int, is_deep: bool) -> None:
        if is_deep:
            if self._held:
                self._release(at_ms)
            if value > self.highest:
                self.highest = value
        elif value > self.highest:
            self._hold(value, at_ms)

    def _hold(self, value: float, at_ms: int) -> None:
        """Hold the value, and drop earlier values that it equals or exceeds: the first held is the greatest."""
        held = self._held
        while held and held[-1][1] <= value:
            held.pop()
        held.append((at_ms, value))
        if held[0][0] < at_ms - self._hold_ms:
            held.popleft()

    def _release(self, at_ms: int) -> None:
        begin_ms = at_ms - self._hold_ms
        self.highest = max([self.highest, *(value for held_ms, value in self._held if held_ms >= begin_ms)])
        self._held.clear()


class _Gauge(Backtest):
    """A backtest that judges nothing and notes how far each statistic goes."""

    def __init__(
        self, history: History, policy: Policy, source: Source, *, progress: Callable[[int], None]
    ) -> None:
        super().__init__(history, policy, source, progress=progress)
        # The rule `repeat` looks back for the length of a suspicion, and the suspicion then lasts as long again.
        self.peaks = {key: _Peak(_MAX_HOLD_MS if key == "repeat_limit" else SUSPICION_MS) for key in _MIN}
        self._settings = ("spike_burst", "initiated_burst", "plateau_seconds", "max_drain_seconds")
        self._peaks = [self.peaks[key] for key in self._settings]
        self._min_backlog = policy.min_backlog
        self._asks = source is Source.CALLBACK
        # While the queue is shallow and stays so for longer than anything is held, there is nothing to note.
        self._can_rest = source is Source.REPORT
        self._deepened = history.deepened(policy.min_backlog)
        self._next_deep_ms = 0
        self._times_called = 0

    def judge(self, at_ms: int) -> None:
        """Note what the rules would have looked at. Where they ask for Twilio's list, it would show the depth."""
        depth = self.depth if self._asks else self.replay.cancellable
        is_deep = depth >= self._min_backlog
        if self._can_rest and not is_deep and self._stays_shallow(at_ms):
            return
        for peak, value in zip(self._peaks, self.replay.figures(at_ms), strict=True):
            peak.see(value, at_ms, is_deep)
        self.peaks["max_backlog"].see(depth, at_ms, is_deep)
        self.peaks["repeat_limit"].see(self._times_called, at_ms, is_deep)
        self._times_called = 0

    def _stays_shallow(self, at_ms: int) -> bool:
        while self._next_deep_ms < at_ms:
            self._next_deep_ms = next(self._deepened, NEVER_MS)
        if self._next_deep_ms - at_ms <= _MAX_HOLD_MS:
            return False
        self._times_called = 0
        return True

    def heard_call(self, destination: int, at_ms: int) -> None:
        """Note how often it was called: a lower limit would see more than the one most called destination."""
        if destination != NO_DESTINATION:
            self._times_called = max(self._times_called, self.replay.called(destination, at_ms))
