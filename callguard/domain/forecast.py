"""How many of the calls that are queued now will still be dialled."""

import math
from dataclasses import dataclass

from callguard.domain.policy import Mode, Policy
from callguard.domain.snapshot import Snapshot


@dataclass(frozen=True, slots=True)
class Forecast:
    """How many calls of a queue will ring.

    Attributes:
        in_scope: calls that the open incident is about.
        left_alone: calls that the guard does not cancel: protected, announced, or not what the incident is about.
        why: why no call in scope is being cancelled; empty if they are.
    """

    in_scope: float = 0.0
    left_alone: int = 0
    why: str = ""

    @property
    def dialled(self) -> float:
        """All that will ring."""
        return self.in_scope + self.left_alone

    @property
    def words(self) -> str:
        """As people read it, such as `826 more will ring: all that are left alone`."""
        total = f"{math.ceil(self.dialled):,} more will ring"
        if not self.dialled:
            return total
        parts = (
            [f"{math.ceil(self.in_scope):,} in scope{f' ({self.why})' if self.why else ''}"]
            if self.in_scope
            else []
        )
        parts += [f"{self.left_alone:,} that are left alone"] if self.left_alone else []
        is_plain = not self.left_alone and not self.why
        return total if is_plain else f"{total}: {' and '.join(parts)}"


def will_be_dialled(remaining: int, cancelled_per_second: float, cps: float, dead_slots_ahead: float) -> float:
    """Return how many of `remaining` queued calls the dialler will reach before a sweep does, oldest first.

    The dialler takes `cps` slots a second from the queue's front, the first `dead_slots_ahead` of them dead; the
    sweep cancels `cancelled_per_second` calls behind those. The dialler never
    catches up with a faster sweep. It catches up with a slower one once it is through the dead slots; from then
    on the sweep cancels just ahead of the dialler, which rings at the rest of its rate.
    """
    if cancelled_per_second >= cps or not remaining:
        return 0.0
    caught_up_after = dead_slots_ahead / (cps - cancelled_per_second)  # seconds
    then_left = remaining - cancelled_per_second * caught_up_after
    return max(0.0, then_left) * (1 - cancelled_per_second / cps)


def forecast(snapshot: Snapshot, policy: Policy, cancelled_rate: float) -> Forecast:
    """Return how many calls of an open incident's queue will ring, at the present rate of its sweep.

    Without an incident nothing is counted, as nothing is to be cancelled.
    """
    if not snapshot.state.has_open_incident:
        return Forecast()
    why = _why_nothing_is_cancelled(snapshot, policy)
    if why:
        return Forecast(float(snapshot.cancellable), snapshot.left_alone, why if snapshot.cancellable else "")
    cps = snapshot.cps(policy)
    in_scope = will_be_dialled(snapshot.cancellable, cancelled_rate, cps, snapshot.phantom_slots(cps))
    return Forecast(in_scope, snapshot.left_alone)


def _why_nothing_is_cancelled(snapshot: Snapshot, policy: Policy) -> str:
    if snapshot.paused:
        return "paused"
    if policy.mode is Mode.OBSERVE:
        return "mode observe"
    if snapshot.unqueued:
        return "fewer than min_backlog"
    if snapshot.capped:
        return "stopped at max_cancellations"
    return ""
