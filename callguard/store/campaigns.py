"""Announced campaigns in Redis."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, fields, replace
from typing import Any

from redis import Redis

from callguard.domain.campaign_calls import CampaignCalls, WaitingCall, calls_of
from callguard.domain.campaigns import MAX_OPEN_CAMPAIGNS, Campaign
from callguard.errors import TooManyCampaigns
from callguard.store.connection import translated_errors
from callguard.store.keys import AccountKeys
from callguard.store.retention import ACCOUNT_MS, BATCH, CAMPAIGN_MS
from callguard.store.scripts import Argument, Scripts, pairs

PHASES = 256
"""A call's key holds its phases below this, and above it the mark of its From (`lua/parts/scope.lua`)."""


class RedisCampaigns:
    """Fulfils `Campaigns`. Every method may raise `StoreUnavailable`."""

    def __init__(self, connection: Redis, scripts: Scripts) -> None:
        """Use `connection` for reads and `scripts` for everything that compares and sets."""
        self._redis = connection
        self._scripts = scripts

    def announce(self, account_sid: str, *campaigns: Campaign) -> None:
        """Record campaigns, all or none; a repeat does nothing.

        Raises:
            TooManyCampaigns: more than `MAX_OPEN_CAMPAIGNS` would be open; none was recorded.
        """
        keys = AccountKeys(account_sid)
        arguments: list[Argument] = [max(c.starts_ms for c in campaigns), CAMPAIGN_MS, MAX_OPEN_CAMPAIGNS]
        for campaign in campaigns:
            record = json.dumps(asdict(campaign))
            arguments += [campaign.id, record, campaign.sender, campaign.until_ms, campaign.calls]
        if self._scripts.run("announce", [keys.state, keys.campaigns], arguments) < 0:
            raise TooManyCampaigns(
                f"{account_sid} may have {MAX_OPEN_CAMPAIGNS} open campaigns, and with these it would have more; "
                "none of them was announced. End some of the open ones, or announce one for any number"
            )

    def campaigns(self, account_sid: str) -> list[Campaign]:
        """Read the campaigns of the last 30 days; older ones are forgotten."""
        keys = AccountKeys(account_sid)
        held, open_text = self._scripts.read((keys.campaigns, "HGETALL"), (keys.state, "HGET campaigns"))
        left = _left(open_text or "")
        records = [_campaign(text) for text in pairs(held).values()]
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
        return _campaign(record) if record else None

    def calls_of(self, account_sid: str, campaign_id: str) -> CampaignCalls:
        """Read the announced calls, then the campaigns."""
        waiting = list(self._waiting(AccountKeys(account_sid)))
        return calls_of(campaign_id, waiting, self.campaigns(account_sid))

    def release(self, account_sid: str, campaign_id: str, call_sids: Sequence[str], now_ms: int) -> int:
        """Move the calls among the others, `BATCH` at a time, and note it in the campaign's record."""
        keys = AccountKeys(account_sid)
        touched = [keys.announced, keys.queue, keys.state, keys.campaigns]
        batches = [call_sids[i : i + BATCH] for i in range(0, len(call_sids), BATCH)] or [()]
        return sum(
            self._scripts.run("release", touched, [ACCOUNT_MS, now_ms, campaign_id, *batch]) for batch in batches
        )

    def _waiting(self, keys: AccountKeys) -> Iterator[WaitingCall]:
        with translated_errors():
            announced: Any = self._redis.zrange(keys.announced, 0, -1, withscores=True)
        for i in range(0, len(announced), BATCH):
            batch = announced[i : i + BATCH]
            with translated_errors():
                seen: Any = self._redis.mget([keys.call(call_sid) for call_sid, _ in batch])
            for (call_sid, created_ms), phases in zip(batch, seen, strict=True):
                yield WaitingCall(call_sid, int(created_ms), int(float(phases or 0)) // PHASES)


def _campaign(record: str) -> Campaign:
    """Return a campaign from its JSON, which may hold more."""
    held = json.loads(record)
    return Campaign(**{field.name: held[field.name] for field in fields(Campaign) if field.name in held})


def _left(open_text: str) -> dict[str, int]:
    """Return how many calls each open campaign still waits for, from `id,sender,until,left;…`."""
    entries = [entry.split(",") for entry in open_text.split(";") if entry]
    return {campaign_id: int(left) for campaign_id, _sender, _until, left in entries}
