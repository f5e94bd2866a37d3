"""Announced campaigns in Redis."""

import json
from dataclasses import asdict, replace

from redis import Redis

from callguard.domain.campaigns import MOST_OPEN_CAMPAIGNS, Campaign
from callguard.ports import TooManyCampaigns
from callguard.store.connection import translated_errors
from callguard.store.keys import AccountKeys
from callguard.store.retention import ACCOUNT_MS, CAMPAIGN_MS
from callguard.store.scripts import Argument, Scripts, pairs


class RedisCampaigns:
    """Fulfils `Campaigns`. Every method may raise `StoreUnavailable`."""

    def __init__(self, connection: Redis, scripts: Scripts) -> None:
        """Use `connection` for reads and `scripts` for everything that compares and sets."""
        self._redis = connection
        self._scripts = scripts

    def announce(self, account_sid: str, *campaigns: Campaign) -> None:
        """Record campaigns, all or none; a repeat does nothing.

        Raises:
            TooManyCampaigns: more than `MOST_OPEN_CAMPAIGNS` would be open; none was recorded.
        """
        keys = AccountKeys(account_sid)
        arguments: list[Argument] = [max(c.starts_ms for c in campaigns), CAMPAIGN_MS, MOST_OPEN_CAMPAIGNS]
        for campaign in campaigns:
            record = json.dumps(asdict(campaign))
            arguments += [campaign.id, record, campaign.sender, campaign.until_ms, campaign.calls]
        if self._scripts.run("announce", [keys.state, keys.campaigns], arguments) < 0:
            raise TooManyCampaigns(
                f"{account_sid} may have {MOST_OPEN_CAMPAIGNS} open campaigns, and with these it would have more; "
                "none of them was announced. End some of the open ones, or announce one for any number"
            )

    def campaigns(self, account_sid: str) -> list[Campaign]:
        """Read the campaigns of the last 30 days; older ones are forgotten."""
        keys = AccountKeys(account_sid)
        held, open_text = self._scripts.read((keys.campaigns, "HGETALL"), (keys.state, "HGET campaigns"))
        left = _left(open_text or "")
        records = [Campaign(**json.loads(text)) for text in pairs(held).values()]
        newest_ms = max((campaign.starts_ms for campaign in records), default=0)
        if old := [c.id for c in records if c.id not in left and c.starts_ms < newest_ms - CAMPAIGN_MS]:
            with translated_errors():
                self._redis.hdel(keys.campaigns, *old)
            records = [campaign for campaign in records if campaign.id not in old]
        counted = [
            replace(c, came=c.calls - left[c.id]) if c.id in left and not c.ended_ms else c for c in records
        ]
        return sorted(counted, key=lambda campaign: campaign.starts_ms, reverse=True)

    def end_campaign(self, account_sid: str, campaign_id: str, now_ms: int) -> Campaign | None:
        """End a campaign and keep how it ended; a repeat returns the same."""
        keys = AccountKeys(account_sid)
        record = self._scripts.run("end_campaign", [keys.state, keys.campaigns], [campaign_id, now_ms])
        return Campaign(**json.loads(record)) if record else None

    def release(self, account_sid: str, now_ms: int = 0) -> int:
        """Move the announced calls of the mirror among the others."""
        keys = AccountKeys(account_sid)
        moved: int = self._scripts.run("release", [keys.announced, keys.queue, keys.state], [ACCOUNT_MS, now_ms])
        return moved


def _left(open_text: str) -> dict[str, int]:
    """Return how many calls each open campaign still waits for, from `id,sender,until,left;…`."""
    entries = [entry.split(",") for entry in open_text.split(";") if entry]
    return {campaign_id: int(left) for campaign_id, _sender, _until, left in entries}
