"""Announced campaigns in Redis."""

import json
from dataclasses import asdict, replace
from typing import Any

from redis import Redis

from callguard.domain.campaigns import Campaign
from callguard.store.connection import translated_errors
from callguard.store.keys import AccountKeys
from callguard.store.retention import CAMPAIGN_MS
from callguard.store.scripts import Scripts


class RedisCampaigns:
    """Fulfils `Campaigns`. Every method may raise `StoreUnavailable`."""

    def __init__(self, connection: Redis, scripts: Scripts) -> None:
        """Use `connection` for reads and `scripts` for everything that compares and sets."""
        self._redis = connection
        self._scripts = scripts

    def announce(self, account_sid: str, campaign: Campaign) -> None:
        """Record a campaign; a repeat does nothing."""
        keys = AccountKeys(account_sid)
        counted = (campaign.sender, campaign.until_ms, campaign.calls, campaign.starts_ms, CAMPAIGN_MS)
        self._scripts.run(
            "announce", [keys.state, keys.campaigns], [campaign.id, json.dumps(asdict(campaign)), *counted]
        )

    def campaigns(self, account_sid: str) -> list[Campaign]:
        """Read the campaigns of the last 30 days."""
        keys = AccountKeys(account_sid)
        with translated_errors(), self._redis.pipeline() as pipe:
            pipe.hgetall(keys.campaigns)
            pipe.hget(keys.state, "campaigns")
            held, open_text = pipe.execute()
        left = _left(open_text or "")
        records = [Campaign(**json.loads(text)) for text in held.values()]
        counted = [replace(c, came=c.calls - left[c.id]) if c.id in left else c for c in records]
        return sorted(counted, key=lambda campaign: campaign.starts_ms, reverse=True)

    def end_campaign(self, account_sid: str, campaign_id: str, now_ms: int) -> Campaign | None:
        """End a campaign and keep how it ended."""
        keys = AccountKeys(account_sid)
        with translated_errors():
            held: Any = self._redis.hget(keys.campaigns, campaign_id)
        left = self._scripts.run("end_campaign", [keys.state], [campaign_id])
        if held is None or left < 0:
            return None
        campaign = Campaign(**json.loads(held))
        ended = replace(campaign, came=campaign.calls - left, ended_ms=now_ms)
        with translated_errors():
            self._redis.hset(keys.campaigns, campaign_id, json.dumps(asdict(ended)))
        return ended


def _left(open_text: str) -> dict[str, int]:
    """Return how many calls each open campaign still waits for, from `id,sender,until,left;…`."""
    entries = [entry.split(",") for entry in open_text.split(";") if entry]
    return {campaign_id: int(left) for campaign_id, _sender, _until, left in entries}
