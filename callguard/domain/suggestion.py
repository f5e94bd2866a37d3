"""Thresholds that fit an account: what its own history has reached, with a margin.

The thresholds are such that no rule would have been crossed, with a queue or without one.
"""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from callguard.domain.backtest import Hearing, untold
from callguard.domain.history import History
from callguard.domain.policy import Policy
from callguard.domain.thresholds import tightest

MARGIN = 1.5
"""Ordinary days differ: `make bench` shows that 30 other days stay below half as much again."""

RATE_MARGIN = 1.25
HOUR_MS = 3_600_000
MIN_CALLS = 100
MIN_DAYS = 3.0
"""A history of fewer calls or days tells nothing about what is ordinary."""

_FLOORS = {
    "spike_burst": 30, "initiated_burst": 30, "plateau_seconds": 60, "repeat_limit": 10, "max_backlog": 100,
    "max_drain_seconds": 300,
}  # fmt: skip
_MOST = {"repeat_limit": 1000}


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One policy key.

    Attributes:
        setting: the key.
        value: what is suggested.
        reached: the highest that the history came to, in the same unit.
    """

    setting: str
    value: float
    reached: float


class TooLittle(Exception):
    """A history from which nothing can be suggested. The text says what is missing."""


def suggest(
    history: History, policy: Policy, hearing: Hearing, *, progress: Callable[[int], None] = untold
) -> list[Suggestion]:
    """Return the keys whose statistic the history shows; one that it never reached is left as it is.

    Raises:
        TooLittle: the history is too short.
    """
    days = (history.created_ms[-1] - history.created_ms[0]) / (24 * HOUR_MS) if len(history) else 0.0
    if len(history) < MIN_CALLS or days < MIN_DAYS:
        raise TooLittle(
            f"{len(history):,} calls over {days:.1f} days are too few to suggest thresholds from: it takes "
            f"{MIN_CALLS} calls and {MIN_DAYS:g} days"
        )
    busiest = busiest_hour(history.created_ms)
    rate = max(1.0, math.ceil(busiest * RATE_MARGIN * 10) / 10)
    # Without a queue to wait for: a crossed rule opens an incident.
    tried = replace(policy, spike_rate=rate, initiated_rate=rate, min_backlog=0)
    found = tightest(history, tried, hearing, progress=progress)
    rates = [Suggestion("spike_rate", rate, busiest), Suggestion("initiated_rate", rate, busiest)]
    return rates + [
        Suggestion(one.setting, _with_margin(one.setting, one.reached), one.reached)
        for one in found.thresholds
        if one.tightest is not None and one.reached > 0
    ]


def with_suggested(policy: Policy, suggested: Sequence[Suggestion]) -> Policy:
    """Return the policy with what is suggested."""
    values = {one.setting: type(getattr(policy, one.setting))(one.value) for one in suggested}
    return replace(policy, **values)


def busiest_hour(created_ms: Sequence[int]) -> float:
    """Return the calls per second of the busiest hour, from times of creation in order."""
    most = first = 0
    for last, at_ms in enumerate(created_ms):
        while created_ms[first] <= at_ms - HOUR_MS:
            first += 1
        most = max(most, last - first + 1)
    return most / 3600


def _with_margin(setting: str, reached: float) -> float:
    return min(_MOST.get(setting, math.inf), max(_FLOORS[setting], math.ceil(reached * MARGIN)))
