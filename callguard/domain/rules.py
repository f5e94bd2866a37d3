"""The rules: pure functions from a snapshot and a policy to a decision with a name and figures."""

from collections.abc import Callable
from dataclasses import dataclass
from enum import Enum

from callguard.domain.policy import Policy, Unqueued
from callguard.domain.rates import LeakyBucket
from callguard.domain.snapshot import SUSPICION_MS, Finding, Rule, Snapshot, State


class Verdict(Enum):
    """What to do about a snapshot."""

    STAND_BY = "stand by"
    ASK_TWILIO = "ask twilio"
    TRIP = "trip"
    TRIP_UNQUEUED = "trip without a queue"
    DRAIN = "drain"


@dataclass(frozen=True, slots=True)
class Decision:
    """A verdict and its finding; a verdict to stand by has none. `by_reports`: only reports cross the rule."""

    verdict: Verdict
    finding: Finding | None = None
    by_reports: bool = False


STAND_BY = Decision(Verdict.STAND_BY)

ANSWER_MS = {Unqueued.PAGE: 1500, Unqueued.BLOCK: 500}
"""Milliseconds to wait for Twilio's list; fewer if the trip shuts the gate, which is open meanwhile."""

CEILING_BEHIND_CAMPAIGN = 2
"""Ceilings for ordinary calls are so many times as high behind a campaign, where such calls pile up."""


def decide(snapshot: Snapshot, policy: Policy) -> Decision:
    """Return what to do now.

    A crossed rule with `min_backlog` calls queued trips, and they are cancelled. Without a known backlog Twilio's
    list is read first, and the finding remembered meanwhile. If the list shows no backlog or does not come, the
    rule trips all the same, so that people are told, unless the policy ignores that. An incident that began
    without a queue is drained as soon as it has one.

    Reported calls alone trip nothing: Twilio is asked first whether there are such calls.
    """
    if snapshot.paused:
        return STAND_BY
    has_backlog = snapshot.cancellable >= policy.min_backlog
    if snapshot.state is not State.ARMED:
        return Decision(Verdict.DRAIN) if snapshot.unqueued and has_backlog else STAND_BY
    finding = crossed(snapshot, policy) or snapshot.suspected
    if finding is None:
        is_late = snapshot.untaken and not has_backlog and policy.unqueued is not Unqueued.IGNORE
        return Decision(Verdict.TRIP_UNQUEUED, snapshot.untaken) if is_late else _asked_about(snapshot, policy)
    if has_backlog:
        return Decision(Verdict.TRIP, finding)
    if policy.unqueued is not Unqueued.IGNORE and snapshot.was_asked_about(ANSWER_MS[policy.unqueued]):
        return Decision(Verdict.TRIP_UNQUEUED, finding)
    return Decision(Verdict.ASK_TWILIO, finding)


def _asked_about(snapshot: Snapshot, policy: Policy) -> Decision:
    finding = reported(snapshot, policy)
    return STAND_BY if finding is None else Decision(Verdict.ASK_TWILIO, finding, by_reports=True)


def reported(snapshot: Snapshot, policy: Policy) -> Finding | None:
    """Return the finding as if Twilio had confirmed all reported calls; None if none is unconfirmed."""
    if not snapshot.unconfirmed or snapshot.state is not State.ARMED or snapshot.paused:
        return None
    rate, burst = policy.spike_rate, policy.spike_burst
    return _over(snapshot.reported, snapshot.now_ms, rate, burst, Rule.SPIKE, "spike_burst")


def crossed(snapshot: Snapshot, policy: Policy) -> Finding | None:
    """Return the first rule that the snapshot crosses, or None."""
    for rule in _RULES:
        if finding := rule(snapshot, policy, 1.0):
            return finding
    return None


def warnings(snapshot: Snapshot, policy: Policy) -> list[Finding]:
    """Return every rule that has reached its warn level, each with the level as its threshold.

    The warn level is the share `warn_share` of the trip level. A warning only sends a message.
    """
    if snapshot.state is not State.ARMED or snapshot.paused:
        return []
    return [finding for rule in _RULES if (finding := rule(snapshot, policy, policy.warn_share))]


def _spike(snapshot: Snapshot, policy: Policy, share: float) -> Finding | None:
    rate, burst = policy.spike_rate, policy.spike_burst * share
    return _over(snapshot.queued, snapshot.now_ms, rate, burst, Rule.SPIKE, "spike_burst")


def _initiated(snapshot: Snapshot, policy: Policy, share: float) -> Finding | None:
    rate, burst = policy.initiated_rate, policy.initiated_burst * share
    return _over(snapshot.initiated, snapshot.now_ms, rate, burst, Rule.INITIATED, "initiated_burst")


def _over(bucket: LeakyBucket, now_ms: int, rate: float, burst: float, rule: Rule, setting: str) -> Finding | None:
    level = bucket.level_at(now_ms, rate)
    return Finding(rule, level, burst, setting, bucket.onset_ms) if level >= burst else None


def _plateau(snapshot: Snapshot, policy: Policy, share: float) -> Finding | None:
    wanted = policy.plateau_seconds * share
    seconds = snapshot.plateau.seconds_at(snapshot.now_ms, snapshot.cps(policy))
    onset_ms = snapshot.plateau.since_ms
    return Finding(Rule.PLATEAU, seconds, wanted, "plateau_seconds", onset_ms) if seconds >= wanted else None


def _repeat(snapshot: Snapshot, policy: Policy, share: float) -> Finding | None:
    repeats, limit = snapshot.repeats, policy.repeat_limit * share
    if repeats.count < limit or abs(snapshot.now_ms - repeats.at_ms) > SUSPICION_MS:
        return None
    return Finding(Rule.REPEAT, repeats.count, limit, "repeat_limit", repeats.since_ms)


def _backlog(snapshot: Snapshot, policy: Policy, share: float) -> Finding | None:
    onset = snapshot.shallow_ms or snapshot.now_ms
    share *= CEILING_BEHIND_CAMPAIGN if snapshot.is_behind_campaign else 1
    ceiling, longest = policy.max_backlog * share, policy.max_drain_seconds * share
    if snapshot.cancellable > ceiling:
        return Finding(Rule.BACKLOG, snapshot.cancellable, ceiling, "max_backlog", onset)
    drain = snapshot.live_drain_seconds(snapshot.cps(policy))
    if drain > longest:
        return Finding(Rule.BACKLOG, drain, longest, "max_drain_seconds", onset)
    return None


_RULES: tuple[Callable[[Snapshot, Policy, float], Finding | None], ...] = (
    *(_spike, _initiated, _repeat, _plateau, _backlog),
)


def is_quiet(snapshot: Snapshot, policy: Policy, queued_lately: int) -> bool:
    """Return whether a tripped account may be armed again.

    It may if the first drain ended `quiet_seconds` ago, calls have since entered the queue no faster than
    `spike_rate`, and no backlog is left. Where the guard only observes, the incident lasts until Twilio has
    dialled the backlog. `queued_lately` counts the calls of the last `quiet_seconds`.
    """
    # A drain that ended in the future did so before the clock was set back: nobody waits until it has caught up.
    calm_ms = abs(snapshot.now_ms - snapshot.cooled_ms)
    return (
        snapshot.state is State.COOLING
        and calm_ms >= policy.quiet_seconds * 1000
        and snapshot.cancellable < policy.min_backlog
        and queued_lately <= policy.spike_rate * policy.quiet_seconds
    )
