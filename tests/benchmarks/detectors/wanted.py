"""The figures that are wanted of the shipped defaults, and each rule's own policy."""

from dataclasses import replace

from callguard.domain.policy import Policy
from callguard.domain.snapshot import Rule
from tests.benchmarks.detectors.sources import Source

LONGEST = {10.0: 8.0, 100.0: 1.0}
"""Seconds from the first call of a runaway to the trip, through the entrance."""
POLL_GRACE, PLATEAU_GRACE = 2.0, 5.0

RULES = (Rule.SPIKE, Rule.INITIATED, Rule.PLATEAU, Rule.REPEAT, Rule.BACKLOG)

_DISABLED = Policy(
    spike_burst=1e6,
    initiated_burst=1e6,
    plateau_seconds=86_400,
    max_backlog=10_000_000,
    max_drain_seconds=86_400,
    repeat_limit=1000,
)
_OWN_KEYS = {
    Rule.SPIKE: ("spike_burst",),
    Rule.INITIATED: ("initiated_burst",),
    Rule.PLATEAU: ("plateau_seconds",),
    Rule.BACKLOG: ("max_backlog", "max_drain_seconds"),
    Rule.REPEAT: ("repeat_limit",),
}


def only(rule: Rule, cps: float) -> Policy:
    """Return the shipped policy with all rules but one set out of reach."""
    shipped = Policy()
    return replace(_DISABLED, cps=cps, **{key: getattr(shipped, key) for key in _OWN_KEYS[rule]})


def ceiling_seconds(policy: Policy, rate: float) -> float:
    """Return when a runaway of `rate`, alone, would have filled the queue up to the ceiling of the backlog."""
    most = min(policy.max_backlog, policy.max_drain_seconds * policy.cps)
    return most / (rate - policy.cps)


def longest_delay(policy: Policy, rate: float, source: Source) -> float:
    """Return the longest delay that is wanted of a runaway which queues."""
    plateau = policy.plateau_seconds + PLATEAU_GRACE
    if source is Source.CALLBACK:
        return plateau
    if rate not in LONGEST:
        return ceiling_seconds(policy, rate)
    return LONGEST[rate] + (policy.poll_seconds + POLL_GRACE if source is Source.POLL else 0)
