"""Live calls of a runaway: which of them may be acted on, and how that may end.

Only calls known to be part of the runaway are touched, so that nobody else is cut off.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import Enum

from callguard.domain.calls import CallStatus
from callguard.domain.campaigns import Campaign
from callguard.domain.incidents import Incident
from callguard.domain.parties import PartyHasher
from callguard.domain.scope import SLACK_MS


@dataclass(frozen=True, slots=True)
class LiveCall:
    """A call that rings or is in progress, as Twilio's list shows it.

    Attributes:
        call_sid: `CA` and 32 hex digits.
        status: ringing or in progress.
        created_ms: Twilio's `date_created` in milliseconds of Unix time, whole seconds; 0 if it told none.
        is_outbound_api: whether a program created it; all others are none of ours.
        from_number: the caller; never stored.
        to_number: the person called; never stored.
    """

    call_sid: str
    status: CallStatus
    created_ms: int
    is_outbound_api: bool
    from_number: str
    to_number: str


def is_part_of(incident: Incident, call: LiveCall, hasher: PartyHasher) -> bool:
    """Return whether a live call is part of the runaway, as far as From, To and creation tell.

    The incident's cut-off counts; if it has none, as when a person has tripped the guard, the onset does. Without
    either no call is part of it: a call that has lasted for an hour belongs to no runaway.
    """
    since_ms = incident.scope.since_ms or max(0, incident.finding.onset_ms - SLACK_MS)
    if not (since_ms and call.is_outbound_api and call.created_ms >= since_ms):
        return False
    if hasher.is_protected(call.from_number, call.to_number):
        return False
    return incident.scope.takes(call.created_ms, hasher.sender(call.from_number))


def may_be_announced(call: LiveCall, campaigns: Iterable[Campaign], hasher: PartyHasher) -> bool:
    """Return whether a call without any earlier news may belong to an announced campaign."""
    sender, latest_ms = hasher.sender(call.from_number), call.created_ms + SLACK_MS
    return any(
        campaign.sender in ("", sender)
        and campaign.starts_ms <= latest_ms
        and call.created_ms - SLACK_MS < campaign.over_ms
        for campaign in campaigns
    )


class Claim(Enum):
    """Whether a live call may be acted on now."""

    YOURS = "yours"
    LAST = "last"
    STOPPED = "stopped"
    WAITING = "waiting"
    KNOWN = "known"
    ANNOUNCED = "announced"
    UNHEARD = "unheard"
