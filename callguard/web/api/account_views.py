"""What the API shows of an account."""

import math
from collections.abc import Sequence
from datetime import datetime
from typing import Annotated

from pydantic import BaseModel, Field

from callguard.config.accounts import Account
from callguard.domain.drain_time import seconds_until_full
from callguard.domain.forecast import forecast
from callguard.domain.holds import Hold, HoldReason, holds
from callguard.domain.incidents import Incident
from callguard.domain.policy import Mode, Policy
from callguard.domain.readings import AccountReading
from callguard.domain.snapshot import Snapshot, State
from callguard.domain.unqueued import everyday
from callguard.web.api.incident_views import IncidentView, incident_view_of
from callguard.web.moments import utc


class HoldView(BaseModel):
    """Something that holds the guard back."""

    reason: Annotated[HoldReason, Field(description="why, as a word for programs")]
    text: Annotated[str, Field(description="what follows from it and what to do, for people")]
    by: Annotated[str | None, Field(description="the person who decided it, or null, or is not known")]
    why: Annotated[str | None, Field(description="the reason that the person gave; null for none")]
    since: Annotated[datetime | None, Field(description="since when, in UTC; null where it is not known")]
    until: Annotated[datetime | None, Field(description="when it ends by itself, in UTC; null for never")]


class AccountView(BaseModel):
    """An account as it stands."""

    sid: Annotated[str, Field(description="the account's SID")]
    state: Annotated[State, Field(description="where the guard stands")]
    mode: Annotated[Mode, Field(description="whether the guard cancels or only tells")]
    holds: Annotated[list[HoldView], Field(description="all that holds the guard back, the gravest first")]
    generation: Annotated[int, Field(description="counts the trips")]
    queue_depth: Annotated[int, Field(description="calls queued at Twilio")]
    phantom_slots: Annotated[int, Field(description="slots of the rate queue held by calls no longer queued")]
    drain_seconds: Annotated[float, Field(description="seconds until a call created now would be dialled")]
    dialled_at: Annotated[datetime, Field(description="when a call created now would be dialled, in UTC")]
    seconds_until_full: Annotated[
        float | None,
        Field(description="seconds until Twilio refuses new calls (error 22005); null if the queue does not grow"),
    ]
    queued_rate: Annotated[float, Field(description="calls per second entering the queue, over 10 s")]
    initiated_rate: Annotated[float, Field(description="calls per second leaving it for the dialler, over 10 s")]
    cps: Annotated[float, Field(description="calls per second that the guard reckons with")]
    cps_configured: Annotated[float, Field(description="calls per second as configured")]
    cps_learned: Annotated[float | None, Field(description="calls per second as seen; null while unknown")]
    spared: Annotated[int, Field(description="queued calls that are never cancelled")]
    announced: Annotated[int, Field(description="queued calls of announced campaigns")]
    polled_seconds_ago: Annotated[
        float | None, Field(description="seconds since Twilio's list was last read whole; null for never")
    ]
    last_callback_seconds_ago: Annotated[
        float | None, Field(description="seconds since the last callback; null for never")
    ]
    paused: Annotated[bool, Field(description="whether a person has paused the guard")]
    capped: Annotated[
        bool, Field(description="whether the drain has stopped at max_cancellations and waits for a person")
    ]
    out_of_scope: Annotated[int, Field(description="queued calls that the open incident leaves alone")]
    cancelled_rate: Annotated[float, Field(description="calls per second that the sweep cancels, over 4 s")]
    forecast_dialled: Annotated[
        float,
        Field(
            description="queued calls that will still be dialled while an incident is open: those that the sweep "
            "will not reach at that rate, and all that it leaves alone"
        ),
    ]
    incident: Annotated[IncidentView | None, Field(description="the open incident; null without one")]


class AccountDetail(AccountView):
    """An account as it stands, and what is to be known of it besides."""

    wrongly_configured: Annotated[
        str | None,
        Field(
            description="how ordinary traffic crosses the account's own thresholds, with the line to write; null "
            "where it does not"
        ),
    ]


class AccountList(BaseModel):
    """The guarded accounts."""

    accounts: list[AccountView]


class Gate(BaseModel):
    """Whether calls should be created now."""

    allowed: Annotated[bool, Field(description="false while the guard would cancel what is created")]
    state: Annotated[State, Field(description="where the guard stands")]
    drain_seconds: Annotated[float, Field(description="seconds until a call created now would be dialled")]
    holds: Annotated[list[HoldReason], Field(description="what holds the guard back, the gravest first")]


def view_of(account: Account, reading: AccountReading, incident: Incident | None) -> AccountView:
    """Return an account as it was read."""
    snapshot, policy = reading.snapshot, account.policy
    cps, learned = snapshot.cps(policy), snapshot.throughput.learned
    until_full = seconds_until_full(snapshot.drain_seconds, reading.queued_rate, cps)
    return AccountView(
        sid=account.sid,
        state=reading.state,
        mode=snapshot.mode_under(policy),
        holds=[_hold_view(hold) for hold in holds(snapshot, policy)],
        generation=snapshot.generation,
        queue_depth=snapshot.depth,
        phantom_slots=snapshot.phantom_slots(cps),
        drain_seconds=snapshot.drain_seconds,
        dialled_at=utc(snapshot.now_ms + snapshot.drain_seconds * 1000),
        seconds_until_full=until_full if until_full < math.inf else None,
        queued_rate=reading.queued_rate,
        initiated_rate=reading.initiated_rate,
        cps=cps,
        cps_configured=policy.cps,
        cps_learned=learned or None,
        spared=snapshot.protected,
        announced=snapshot.announced,
        polled_seconds_ago=_seconds_ago(snapshot.polled_ms, snapshot.now_ms),
        last_callback_seconds_ago=_seconds_ago(snapshot.called_back_ms, snapshot.now_ms),
        paused=snapshot.paused,
        capped=snapshot.capped,
        out_of_scope=snapshot.out_of_scope,
        cancelled_rate=reading.cancelled_rate,
        forecast_dialled=forecast(snapshot, account.policy, reading.cancelled_rate).dialled,
        incident=incident_view_of(incident) if incident else None,
    )


def detail_of(
    account: Account, reading: AccountReading, incident: Incident | None, recent: Sequence[Incident]
) -> AccountDetail:
    """Return an account as it was read, `recent` being its last closed incidents."""
    known = [incident, *recent] if incident else recent
    found = everyday(known, account.policy, reading.snapshot.now_ms)
    view = view_of(account, reading, incident)
    return AccountDetail(**dict(view), wrongly_configured=found.words if found else None)


def gate_of(snapshot: Snapshot, policy: Policy) -> Gate:
    """Return whether calls should be created."""
    return Gate(
        allowed=not snapshot.shuts_gate(policy),
        state=snapshot.reported_state(policy),
        drain_seconds=snapshot.drain_seconds,
        holds=[hold.reason for hold in holds(snapshot, policy)],
    )


def _hold_view(hold: Hold) -> HoldView:
    word = hold.word
    return HoldView(
        reason=hold.reason,
        text=hold.text,
        by=word.by or None,
        why=word.reason or None,
        since=utc(word.since_ms) if word.since_ms else None,
        until=utc(word.until_ms) if word.until_ms else None,
    )


def _seconds_ago(then_ms: int, now_ms: int) -> float | None:
    return max(0.0, (now_ms - then_ms) / 1000) if then_ms else None
