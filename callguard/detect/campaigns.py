"""Campaigns that a person announces: announce, end, release, and tell people; for command and API alike."""

import logging
import secrets
from collections.abc import Sequence
from dataclasses import dataclass

from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.detect.needs import Campaigns, Memory, Notices
from callguard.domain.addresses import masked
from callguard.domain.campaigns import Campaign
from callguard.domain.notices import Notice, NoticeKind
from callguard.errors import StoreUnavailable

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Released:
    """What became of the queued calls of a campaign that is released.

    Attributes:
        calls: how many are ordinary calls now, and may be cancelled.
        shared: how many stay announced, because they may be another campaign's.
        shared_with: those campaigns, as far as they are known.
    """

    calls: int
    shared: int
    shared_with: Sequence[Campaign]


@dataclass(frozen=True, slots=True)
class Ended:
    """A campaign that has ended, and whether it was over before.

    `released` is None where its queued calls stay announced.
    """

    campaign: Campaign
    was_over: bool
    released: Released | None = None


class AnnouncedCampaigns:
    """Announces and ends campaigns, in the name of a person.

    Every method may raise `StoreUnavailable`. A failed notice, or a failed write to the file beside Redis, does
    not stop the change.
    """

    def __init__(self, campaigns: Campaigns, notices: Notices, memory: Memory, clock: Clock) -> None:
        """Keep the ports."""
        self._campaigns = campaigns
        self._notices = notices
        self._memory = memory
        self._clock = clock

    def recent(self, account_sid: str) -> list[Campaign]:
        """Return the campaigns of the last 30 days, the latest first."""
        return self._campaigns.campaigns(account_sid)

    def planned(
        self, account: Account, calls: int, senders: Sequence[str], until_ms: int, by: str
    ) -> list[Campaign]:
        """Return a campaign for each of the From numbers, or one for every number; nothing is announced yet.

        `until_ms` is in milliseconds of Unix time; `by` is the person.
        """
        return [
            Campaign(
                id=secrets.token_hex(4),
                calls=calls,
                came=0,
                sender=account.hasher.sender(sender),
                sender_shown=masked(sender) if sender else "",
                starts_ms=self._clock.now_ms(),
                until_ms=until_ms,
                announced_by=by,
            )
            for sender in senders or ("",)
        ]

    def announce(self, account_sid: str, planned: Sequence[Campaign]) -> None:
        """Announce campaigns, all or none: from now on their calls trip nothing and are not cancelled.

        Raises:
            TooManyCampaigns: no further campaign can be announced for the account.
            StoreUnavailable: they may be announced or not. A second announcement would let as many pass again.
        """
        self._campaigns.announce(account_sid, *planned)
        for campaign in planned:
            self._tell(beginning(account_sid, campaign))
        self._remember(account_sid)

    def end(self, account_sid: str, campaign_id: str, *, release: bool, with_shared: bool) -> Ended | None:
        """End a campaign; None if the account has none of that id.

        With `release` its queued calls count as any other; `with_shared`: those too that may be another's.
        """
        now_ms = self._clock.now_ms()
        calls = self._campaigns.calls_of(account_sid, campaign_id) if release else None
        campaign = self._campaigns.end_campaign(account_sid, campaign_id, now_ms)
        if campaign is None:
            return None
        was_over, released = campaign.over_ms < now_ms, None
        self._tell(ending(account_sid, campaign), once=once_for(campaign))  # also after a reply that was lost
        self._remember(account_sid)
        if calls is not None:
            count = self._release(account_sid, campaign_id, calls.released(with_shared=with_shared), now_ms)
            left, others = (0, ()) if with_shared else (len(calls.shared), calls.shared_with)
            released = Released(count, left, others)
            self._remember(account_sid)
        return Ended(campaign, was_over, released)

    def _release(self, account_sid: str, campaign_id: str, call_sids: Sequence[str], now_ms: int) -> int:
        try:
            return self._campaigns.release(account_sid, campaign_id, call_sids, now_ms)
        except StoreUnavailable as error:
            text = f"campaign {campaign_id} has ended, but its queued calls may not be released: {error}"
            raise StoreUnavailable(text) from error

    def _remember(self, account_sid: str) -> None:
        try:
            self._memory.remember(account_sid)
        except StoreUnavailable as error:
            _log.warning("account %s: what was announced is not remembered beside Redis: %s", account_sid, error)

    def _tell(self, notice: Notice, *, once: str = "") -> None:
        try:
            self._notices.post(notice, once=once)
        except StoreUnavailable:
            _log.warning("Redis did not answer, so nobody was told: %s", notice.text)


def beginning(account_sid: str, campaign: Campaign) -> Notice:
    """Return the notice that a campaign was announced."""
    text = f"campaign {campaign.id} announced by {campaign.announced_by}: {campaign.calls:,} calls{_of(campaign)}"
    return Notice(account_sid, NoticeKind.CAMPAIGN, text, campaign.starts_ms)


def once_for(campaign: Campaign) -> str:
    """Return the name under which the end of a campaign is told once, whoever tells it."""
    return f"campaign-ended:{campaign.id}"


def ending(account_sid: str, campaign: Campaign) -> Notice:
    """Return the notice that a campaign has ended."""
    text = f"campaign {campaign.id} ended: {campaign.came:,} of {campaign.calls:,} calls came{_of(campaign)}"
    return Notice(account_sid, NoticeKind.CAMPAIGN, text, campaign.ended_ms)


def _of(campaign: Campaign) -> str:
    return f" from {campaign.sender_shown}" if campaign.sender_shown else " from any number"
