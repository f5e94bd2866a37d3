"""Examples in the OpenAPI document: bodies that are taken, and answers as the views make them of a runaway."""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from callguard.config.accounts import Account
from callguard.domain.campaigns import Campaign
from callguard.domain.culprits import Culprit
from callguard.domain.incidents import Incident, incident_id
from callguard.domain.policy import Mode, Policy
from callguard.domain.readings import AccountReading
from callguard.domain.scope import Scope
from callguard.domain.snapshot import Finding, Rule, Snapshot, State
from callguard.domain.tally import Outcome
from callguard.domain.throughput import Throughput
from callguard.web.api import account_views, campaign_views
from callguard.web.api.cancel_views import ANSWERS, NO_CALL_ID, CancelAnswer
from callguard.web.api.reported_calls import CreatedCalls, ReportOutcome

NOW_MS = 1_795_269_600_000
"""The moment of the examples: 2026-11-21T14:00:00Z."""

_SENDER, _SHOWN = "5f0c1d2e", "+1555***00"
_ACCOUNT = Account("AC" + "0" * 32, (), policy=Policy(cps=5))
_SNAPSHOT = Snapshot(
    now_ms=NOW_MS, state=State.DRAINING, generation=1, cancellable=1_204, protected=2, tripped_ms=NOW_MS - 9_000,
    counted_ms=NOW_MS + 371_000, throughput=Throughput(learned=5.0), polled_ms=NOW_MS - 1_000,
    called_back_ms=NOW_MS - 200,
)  # fmt: skip
_READING = AccountReading(_SNAPSHOT, State.DRAINING, {}, queued_rate=12.5, initiated_rate=5.0, cancelled_rate=68.0)
_INCIDENT = Incident(
    incident_id(_ACCOUNT.sid, 1), _ACCOUNT.sid, 1, Finding(Rule.SPIKE, 70.5, 65, "spike_burst", NOW_MS - 10_000),
    Mode.ENFORCE, NOW_MS - 9_000, culprits=(Culprit(_SENDER, _SHOWN, 0.98),),
    scope=Scope(NOW_MS - 12_000, frozenset({_SENDER})),
    outcomes={Outcome.CANCELLED: 610, Outcome.DIALLED: 41}, remaining=1_204, protected=2,
)  # fmt: skip
_CAMPAIGN = Campaign("3f9c01ab", 5_000, 120, "", _SHOWN, NOW_MS - 600_000, NOW_MS + 14_400_000, "me", ended_ms=0)
_CAMPAIGN_VIEW = campaign_views.view_of(_CAMPAIGN, NOW_MS)
_CALL = {
    "sid": "CA" + "0" * 32, "account_sid": _ACCOUNT.sid, "status": "queued",
    "date_created": "Sat, 21 Nov 2026 14:00:00 +0000", "queue_time": "1000",
    "from": "+15551230000", "to": "+15557654321", "direction": "outbound-api",
}  # fmt: skip

ANSWERED: Mapping[type[BaseModel], Mapping[str, BaseModel]] = {
    account_views.AccountList: {
        "runaway": account_views.AccountList(
            accounts=[account_views.view_of(_ACCOUNT, _READING, _INCIDENT)],
        )
    },
    account_views.AccountDetail: {"runaway": account_views.detail_of(_ACCOUNT, _READING, _INCIDENT, [])},
    account_views.Gate: {"runaway": account_views.gate_of(_SNAPSHOT, _ACCOUNT.policy)},
    campaign_views.CampaignList: {"one": campaign_views.CampaignList(campaigns=[_CAMPAIGN_VIEW])},
    campaign_views.EndedCampaign: {
        "ended": campaign_views.EndedCampaign(**{**dict(_CAMPAIGN_VIEW), "open": False}),
        "released": campaign_views.EndedCampaign(
            **{**dict(_CAMPAIGN_VIEW), "open": False},
            released=campaign_views.ReleasedCalls(calls=118, left=0, shared_with=[]),
        ),
    },
    ReportOutcome: {"news": ReportOutcome(counted=1, duplicates=0)},
    CancelAnswer: {
        **{verdict.name.lower(): said for verdict, said in ANSWERS.items()},
        "no_call_id": NO_CALL_ID,
    },
}
"""What may be answered, by model and a name for the case."""

TAKEN: Mapping[type[BaseModel], Mapping[str, Any]] = {
    campaign_views.NewCampaign: {
        "one_number": {"calls": 5_000, "from": "+15551230000", "until": "2026-11-21T18:00:00Z"},
        "any_number": {"calls": 200, "until": "2026-11-21T18:00:00+01:00"},
    },
    CreatedCalls: {"as_twilio_answered": {"calls": [_CALL]}},
}
"""The examples of request bodies, likewise; at `NOW_MS`."""
