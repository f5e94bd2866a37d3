"""What the API shows of an incident."""

from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from callguard.domain.incidents import Incident
from callguard.domain.policy import Mode
from callguard.domain.snapshot import Rule
from callguard.domain.tally import Outcome
from callguard.web.moments import utc


class CallCounts(BaseModel):
    """What became of an incident's calls. `found` is the sum of the others, at all times."""

    found: Annotated[int, Field(description="calls of the incident; the sum of the others")]
    cancelled: Annotated[int, Field(description="cancelled before they were dialled")]
    dialled: Annotated[int, Field(description="dialled before they could be cancelled")]
    gone: Annotated[int, Field(description="not queued any more, and nobody told what became of them")]
    spared: Annotated[int, Field(description="on the never_cancel list, or to an emergency number")]
    failed: Annotated[int, Field(description="Twilio refused each request to cancel them")]
    observed: Annotated[int, Field(description="would have been cancelled, if the guard did not only observe")]
    remaining: Annotated[int, Field(description="still queued, and to be cancelled")]


class IncidentScope(BaseModel):
    """Which calls the incident is about."""

    since: Annotated[datetime | None, Field(description="calls created before are left alone; null for none")]
    senders: Annotated[list[str], Field(description="the From numbers in scope, masked; empty for every number")]


class IncidentView(BaseModel):
    """An incident."""

    id: Annotated[str, Field(description="account and generation")]
    rule: Annotated[Rule, Field(description="the rule that tripped")]
    observed: Annotated[float, Field(description="the figure that it saw")]
    threshold: Annotated[float, Field(description="the figure that this had reached")]
    setting: Annotated[str, Field(description="the policy key of the threshold")]
    mode: Annotated[Mode, Field(description="whether it cancels or only tells")]
    tripped_at: Annotated[datetime, Field(description="when the guard tripped, in UTC")]
    unqueued: Annotated[
        bool, Field(description="true while nothing is queued: its calls are dialled as they are created")
    ]
    scope: Annotated[IncidentScope, Field(description="which calls it is about")]
    calls: Annotated[CallCounts, Field(description="what became of them")]


def incident_view_of(incident: Incident) -> IncidentView:
    """Return an incident as it was read."""
    finding = incident.finding
    return IncidentView(
        id=incident.id,
        rule=finding.rule,
        observed=finding.observed,
        threshold=finding.threshold,
        setting=finding.setting,
        mode=incident.mode,
        tripped_at=utc(incident.tripped_ms),
        unqueued=incident.unqueued,
        scope=IncidentScope(
            since=utc(incident.scope.since_ms) if incident.scope.since_ms else None,
            senders=[c.shown for c in incident.culprits if c.sender in incident.scope.senders],
        ),
        calls=CallCounts(
            found=incident.found,
            cancelled=incident.count(Outcome.CANCELLED),
            dialled=incident.count(Outcome.DIALLED),
            gone=incident.count(Outcome.GONE),
            spared=incident.count(Outcome.PROTECTED) + incident.protected,
            failed=incident.count(Outcome.FAILED),
            observed=incident.count(Outcome.OBSERVED),
            remaining=incident.tally.remaining,
        ),
    )
