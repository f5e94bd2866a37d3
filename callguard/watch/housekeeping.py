"""Regular work for an account: ends campaigns, and forgets From numbers that are quiet again."""

from collections.abc import Callable
from dataclasses import replace

from callguard.config.accounts import Account
from callguard.detect.campaigns import ending, once_for
from callguard.domain.rates import LeakyBucket
from callguard.domain.snapshot import Snapshot
from callguard.watch.needs import CallTracker, Campaigns, Notices

LOOK_SECONDS = 5.0
PRUNE_SECONDS = 60.0
LATE_CALLS_MS = 60_000
"""Milliseconds after a campaign's end in which news of its calls, created before the end, may still come."""


class Housekeeping:
    """A task of the watch. `monotonic` gives seconds for intervals."""

    def __init__(
        self,
        account: Account,
        tracker: CallTracker,
        campaigns: Campaigns,
        notices: Notices,
        monotonic: Callable[[], float],
    ) -> None:
        """Keep the ports."""
        self._account = account
        self._tracker = tracker
        self._campaigns = campaigns
        self._notices = notices
        self._monotonic = monotonic
        self._looked_at = float("-inf")
        self._pruned_at = monotonic()
        self._clean_at: tuple[LeakyBucket, LeakyBucket] | None = None
        self._told: set[str] = set()

    def __call__(self, snapshot: Snapshot) -> None:
        """Do what is due.

        Raises:
            StoreUnavailable: a later tick tries again.
        """
        now = self._monotonic()
        if snapshot.campaign_ms and now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self._end_campaigns(snapshot.now_ms)
        if now - self._pruned_at >= PRUNE_SECONDS:
            self._pruned_at = now
            self._prune(snapshot)

    def _prune(self, snapshot: Snapshot) -> None:
        """Forget quiet numbers, unless nothing was counted since the last one was forgotten.

        A call that fills a number's bucket also fills the account's, at the same rate: if that is empty, all are.
        """
        buckets, policy = (snapshot.queued, snapshot.initiated), self._account.policy
        if buckets == self._clean_at:
            return
        self._tracker.prune_senders(self._account.sid, policy, snapshot.now_ms)
        rates = (policy.spike_rate, policy.initiated_rate)
        levels = [bucket.level_at(snapshot.now_ms, rate) for bucket, rate in zip(buckets, rates, strict=True)]
        self._clean_at = None if any(levels) else buckets

    def _end_campaigns(self, now_ms: int) -> None:
        for campaign in self._campaigns.campaigns(self._account.sid):
            if campaign.ended_ms or campaign.until_ms + LATE_CALLS_MS > now_ms or campaign.id in self._told:
                continue
            # Tell first: if we die in between, the next tick tells it once more, and the outbox drops the repeat.
            ended = replace(campaign, ended_ms=campaign.until_ms)
            self._notices.post(ending(self._account.sid, ended), once=once_for(campaign))
            self._campaigns.end_campaign(self._account.sid, campaign.id, now_ms)
            self._told.add(campaign.id)
