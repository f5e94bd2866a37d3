"""Campaigns as the API takes and shows them."""

from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, Strict, ValidationInfo, WithJsonSchema

from callguard.config.policy_texts import number
from callguard.domain.campaigns import MAX_CAMPAIGN_SECONDS, Campaign
from callguard.web.api import schemas
from callguard.web.api.json_bodies import now_of
from callguard.web.moments import unix_ms, utc

MAX_CALLS = 1_000_000
MAX_SENDERS = 100
_SENDERS_SCHEMA = {
    "anyOf": [
        schemas.NUMBER,
        {"type": "array", "items": schemas.NUMBER, "minItems": 1, "maxItems": MAX_SENDERS},
        {"type": "null"},
    ]
}


def _senders(given: Any) -> tuple[str, ...]:
    if given is None:
        return ()
    listed = given if isinstance(given, list) else [given]
    if not 1 <= len(listed) <= MAX_SENDERS or not all(isinstance(sender, str) for sender in listed):
        raise ValueError("should be numbers")
    if any("*" in sender for sender in listed):
        raise ValueError("should be whole numbers, as a campaign is counted by number")
    return tuple(dict.fromkeys(map(number, listed)))


def _until_ms(given: Any, info: ValidationInfo) -> int:
    until_ms, now_ms = unix_ms(given) if isinstance(given, str) else 0, now_of(info)
    if not now_ms < until_ms <= now_ms + MAX_CAMPAIGN_SECONDS * 1000:
        raise ValueError("should be in the future, and not too far")
    return until_ms


class NewCampaign(BaseModel):
    """A campaign to announce."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    calls: Annotated[
        int, Strict(), Field(ge=1, le=MAX_CALLS, description=f"a whole number of calls from 1 to {MAX_CALLS}")
    ]
    senders: Annotated[
        tuple[str, ...],
        BeforeValidator(_senders),
        WithJsonSchema(_SENDERS_SCHEMA),
        Field(
            alias="from",
            json_schema_extra={"default": None},
            description="the calls' From: a number with + and digits, a short number, client:…, sip:… or a SIP "
            "user's name, without control characters; a list of up to "
            f"{MAX_SENDERS}, each of which may send as many calls; or null for every number",
        ),
    ] = ()
    until_ms: Annotated[
        int,
        BeforeValidator(_until_ms),
        WithJsonSchema(schemas.MOMENT),
        Field(
            alias="until",
            description="when it expires: in the future, and at most 7 days ahead, in ISO 8601 with a zone, such "
            "as 2026-11-21T18:00:00Z",
        ),
    ]


class CampaignView(BaseModel):
    """An announced campaign."""

    id: Annotated[str, Field(description="unique within the account")]
    calls: Annotated[int, Field(description="calls that were announced")]
    came: Annotated[int, Field(description="how many of them have come")]
    sender: Annotated[
        str | None, Field(serialization_alias="from", description="From, masked; null for every number")
    ]
    starts_at: Annotated[datetime, Field(description="when it was announced, in UTC")]
    until: Annotated[datetime, Field(description="when it expires, in UTC")]
    announced_by: Annotated[str, Field(description="the name of a key, `loopback` or `command line`")]
    open: Annotated[bool, Field(description="whether further calls would be taken for this campaign's")]


class ReleasedCalls(BaseModel):
    """What became of an ended campaign's queued calls."""

    calls: Annotated[int, Field(description="how many of them count as any other now")]
    left: Annotated[
        int,
        Field(
            description="how many stay announced, since it cannot be told whether they are another campaign's; "
            "?release=true&shared=true takes them too"
        ),
    ]
    shared_with: Annotated[
        list[str], Field(description="whose they may be, by id; none where Redis has lost whose they are")
    ]


class EndedCampaign(CampaignView):
    """An announced campaign that has ended."""

    released: Annotated[
        ReleasedCalls | None,
        Field(exclude_if=lambda released: released is None, description="present where that was asked for"),
    ] = None


class CampaignList(BaseModel):
    """Campaigns, the latest first."""

    campaigns: list[CampaignView]


def view_of(campaign: Campaign, now_ms: int) -> CampaignView:
    """Return a campaign as it stands at `now_ms`."""
    return CampaignView(
        id=campaign.id,
        calls=campaign.calls,
        came=campaign.came,
        sender=campaign.sender_shown or None,
        starts_at=utc(campaign.starts_ms),
        until=utc(campaign.until_ms),
        announced_by=campaign.announced_by,
        open=campaign.is_open_at(now_ms),
    )
