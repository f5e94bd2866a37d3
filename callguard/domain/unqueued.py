"""Incidents without a queue: Twilio dials as fast as a program creates, so there is nothing to cancel.

The guard then tells people, shuts the gate, and recognises incidents that have come back or happen every day.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from callguard.domain.incidents import Incident
from callguard.domain.policy import LiveCalls, Mode, Policy, Unqueued
from callguard.domain.scope import Scope
from callguard.domain.snapshot import Finding, Rule

HOUR_MS = 3_600_000
DAY_MS = 24 * HOUR_MS
BACK_WITHIN_MS = HOUR_MS
"""A runaway that comes back within an hour continues its incident, so nobody is paged again."""

EVERYDAY_DAYS, EVERYDAY_OF = 3, 7
EVERYDAY_HOURS = 6
RECENT = 100
"""So many closed incidents tell whether they are everyday."""

MARGIN = 1.5
"""A threshold that ordinary traffic has crossed should be half as high again as what was seen."""

_RATES = {Rule.SPIKE: "spike_rate", Rule.INITIATED: "initiated_rate"}
_LIVE = {LiveCalls.HANGUP: "hung up", LiveCalls.REDIRECT: "redirected"}


def is_back(closed: Incident, finding: Finding, scope: Scope, now_ms: int) -> bool:
    """Return whether a finding is the runaway of a closed incident without a queue: same rule, same numbers.

    An incident that a person has closed does not come back: people are told of a new one.
    """
    if not closed.unqueued or closed.closed_by or not 0 <= now_ms - closed.closed_ms <= BACK_WITHIN_MS:
        return False
    senders, before = scope.senders, closed.scope.senders
    return closed.finding.rule is finding.rule and (senders == before or bool(senders & before))


@dataclass(frozen=True, slots=True)
class Everyday:
    """Ordinary traffic that crosses its own thresholds: the account is wrongly configured.

    Attributes:
        what: how often it has done so, in words.
        setting: the policy key to raise.
        wanted: a greater value, half as high again as what was seen; None where that is no greater than today's.
    """

    what: str
    setting: str
    wanted: int | None

    @property
    def words(self) -> str:
        """As people read it."""
        line = "" if self.wanted is None else f"write {self.setting} = {self.wanted} in the account's table, or "
        return (
            f"not in a runaway but wrongly configured: {self.what}. If that is ordinary traffic, {line}"
            "let `callguard backtest --suggest` find thresholds that fit"
        )


def everyday(incidents: Sequence[Incident], policy: Policy, now_ms: int) -> Everyday | None:
    """Return what is everyday about incidents without a queue, from those of the last 7 days; else None.

    It is when there were some on three days of the seven, or one that has lasted for six hours.
    """
    recent = [i for i in incidents if i.unqueued and now_ms - i.tripped_ms < EVERYDAY_OF * DAY_MS]
    for incident in recent:
        hours = ((incident.closed_ms or now_ms) - incident.tripped_ms) / HOUR_MS
        if hours >= EVERYDAY_HOURS:
            what = f"its traffic has stayed above {incident.finding.setting} for {hours:.0f} hours"
            return _greater(what, *_raised(incident, hours), policy)
    days = {incident.tripped_ms // DAY_MS for incident in recent}
    if len(days) < EVERYDAY_DAYS:
        return None
    worst = max(recent, key=lambda i: i.finding.observed / max(i.finding.threshold, 1e-9))
    what = f"its traffic has crossed {worst.finding.setting} on {len(days)} of the last {EVERYDAY_OF} days"
    return _greater(what, worst.finding.setting, math.ceil(worst.finding.observed * MARGIN), policy)


def _greater(what: str, setting: str, wanted: int, policy: Policy) -> Everyday:
    """Never advise a value at or below the one that is in force."""
    return Everyday(what, setting, wanted if wanted > getattr(policy, setting, math.inf) else None)


def _raised(incident: Incident, hours: float) -> tuple[str, int]:
    """Return the key and value that avoid a lasting incident: a rate, if the rule measures rates."""
    finding = incident.finding
    if finding.rule not in _RATES:
        return finding.setting, math.ceil(finding.observed * MARGIN)
    dialled = sum(incident.outcomes.values())
    return _RATES[finding.rule], max(1, math.ceil(dialled / (hours * 3600) * MARGIN))


def what_is_done(policy: Policy) -> str:
    """Return what the guard does about an incident without a queue, and what a person may do, in words."""
    if policy.mode is Mode.OBSERVE:
        done = 'The guard only observes (mode = "observe")'
    elif policy.unqueued is Unqueued.BLOCK:
        done = 'The gate is shut (unqueued = "block"): programs that ask it create no more calls'
    else:
        done = 'The gate is open (unqueued = "page"; "block" shuts it)'
    if policy.mode is Mode.ENFORCE and policy.live_calls in _LIVE:
        done += f'. Live calls are {_LIVE[policy.live_calls]} (live_calls = "{policy.live_calls.value}")'
    return f"{done}. Stop the program that creates the calls, or revoke its API key in Twilio's Console"


def what_is_dialled(finding: Finding, calls: int, seconds: float, named: str) -> str:
    """Return how fast calls are dialled, to whom and from whom, in words; `calls` within the last `seconds`."""
    whom = " to one destination" if finding.rule is Rule.REPEAT else ""
    from_whom = f", from {named}" if named else ""
    rate = f"{calls / max(1.0, seconds):,.1f}".removesuffix(".0")
    return (
        f"nothing is queued, so nothing can be cancelled; {rate} calls a second are being dialled{whom}{from_whom}"
    )
