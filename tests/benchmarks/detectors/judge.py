"""The shipped rules at work on a `Replay`: what trips, what only asks Twilio, what warns, and when."""

from collections import Counter
from dataclasses import dataclass

from callguard.domain.policy import Policy
from callguard.domain.replay import Replay
from callguard.domain.rules import Verdict, decide, warnings
from callguard.domain.snapshot import SUSPICION_MS, Finding, Rule

TICK_MS = 250
"""How often the watcher judges without any news."""
NEVER_MS = 1 << 62
SAME_WARNING_MS = 60_000
"""A warning that comes again within this is the same one."""


@dataclass(frozen=True, slots=True)
class Judged:
    """A trip, or a suspicion for which Twilio is asked."""

    at_ms: int
    finding: Finding


class Judge:
    """Judges as the guard does. After a trip it waits until the backlog is gone, and begins anew."""

    def __init__(self, replay: Replay, policy: Policy) -> None:
        self.trips: list[Judged] = []
        self.asked: list[Judged] = []
        self.warnings: Counter[Rule] = Counter()
        self._replay, self._policy = replay, policy
        self._tripped = False
        self._suspected_until_ms = 0
        self._warned_ms: dict[Rule, int] = {}
        share = policy.warn_share
        self._half_spike, self._half_initiated = policy.spike_burst * share, policy.initiated_burst * share
        self._half_plateau, self._half_drain = policy.plateau_seconds * share, policy.max_drain_seconds * share
        self._half_backlog = policy.max_backlog * share

    def look(self, now_ms: int) -> int:
        """Judge what is known, and return when to look again if there is no news before."""
        if self._tripped and not self._has_recovered():
            return NEVER_MS
        crossed = self._replay.needs_judging(now_ms)
        if crossed:
            self._decide(now_ms)
        figures = self._replay.figures(now_ms)
        if self._is_half_reached(figures):
            self._count_warnings(now_ms)
        if crossed or self.is_suspicious(now_ms):
            return now_ms + TICK_MS
        return self._next_crossing_ms(now_ms, plateau=figures[2])

    def is_suspicious(self, now_ms: int) -> bool:
        """Return whether a crossed rule still waits for proof of a backlog."""
        return now_ms <= self._suspected_until_ms

    def is_alert(self, now_ms: int) -> bool:
        """Return whether Twilio's list is to be read every second."""
        if self.is_suspicious(now_ms):
            return True
        if not self._replay.cancellable and not self._is_half_reached(self._replay.figures(now_ms)):
            return False
        return bool(warnings(self._replay.snapshot(now_ms), self._policy))

    def _next_crossing_ms(self, now_ms: int, plateau: float) -> int:
        """Return when a level may be reached without news: of all that is compared, only the plateau grows."""
        if not plateau:
            return NEVER_MS
        wanted = self._half_plateau if plateau < self._half_plateau else self._policy.plateau_seconds
        return now_ms + max(TICK_MS, int((wanted - plateau) * 1000) // TICK_MS * TICK_MS)

    def _is_half_reached(self, figures: tuple[float, float, float, float]) -> bool:
        queued, initiated, plateau, drain = figures
        return (
            queued >= self._half_spike
            or initiated >= self._half_initiated
            or plateau >= self._half_plateau
            or drain > self._half_drain
            or self._replay.cancellable > self._half_backlog
        )

    def _decide(self, now_ms: int) -> None:
        decision = decide(self._replay.snapshot(now_ms), self._policy)
        if decision.finding is None:
            return
        if decision.verdict is Verdict.TRIP:
            self.trips.append(Judged(now_ms, decision.finding))
            self._tripped = True
        elif self._replay.suspected(decision.finding, now_ms):
            self.asked.append(Judged(now_ms, decision.finding))
            self._suspected_until_ms = now_ms + SUSPICION_MS

    def _has_recovered(self) -> bool:
        if self._replay.cancellable >= self._policy.min_backlog:
            return False
        self._replay.rearmed()
        self._tripped, self._suspected_until_ms = False, 0
        return True

    def _count_warnings(self, now_ms: int) -> None:
        for finding in warnings(self._replay.snapshot(now_ms), self._policy):
            before_ms = self._warned_ms.get(finding.rule, -SAME_WARNING_MS)
            self._warned_ms[finding.rule] = now_ms
            self.warnings[finding.rule] += now_ms - before_ms >= SAME_WARNING_MS
