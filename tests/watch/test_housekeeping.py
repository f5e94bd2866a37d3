"""Campaigns end by themselves, and people hear of it."""

import itertools

import pytest

from callguard.config.accounts import Account
from callguard.domain.campaigns import Campaign
from callguard.ports import Notice, NoticeKind, StoreUnavailable
from callguard.watch.housekeeping import LATE_CALLS_MS, LOOK_SECONDS, Housekeeping
from tests.conftest import ACCOUNT_SID, FrozenClock, Store
from tests.guarded import NotedNotices


class FailingOnce(NotedNotices):
    """An outbox that is away at the first post."""

    def post(self, notice: Notice, *, once: str = "", every_seconds: int = 0) -> bool:
        if not self.failed:
            self.failed = True
            raise StoreUnavailable("away")
        return super().post(notice, once=once, every_seconds=every_seconds)

    failed = False


def housekeeping(store: Store, notices: NotedNotices) -> Housekeeping:
    ticks = itertools.count(step=LOOK_SECONDS)
    account = Account(ACCOUNT_SID, ("token",))
    return Housekeeping(account, store.tracker, store.campaigns, notices, lambda: next(ticks))


def announced(store: Store, clock: FrozenClock) -> Campaign:
    campaign = Campaign("0000abcd", 5, 0, "", "", clock.ms, clock.ms + 1000, "a person")
    store.campaigns.announce(ACCOUNT_SID, campaign)
    return campaign


def test_a_campaign_ends_a_while_after_its_time(store: Store, clock: FrozenClock) -> None:
    """Its last calls may be heard of late."""
    announced(store, clock)
    notices = NotedNotices()
    keep = housekeeping(store, notices)
    clock.pass_seconds(2)
    keep(store.tracker.snapshot(ACCOUNT_SID, clock.ms))
    assert notices.posted == []

    clock.ms += LATE_CALLS_MS
    keep(store.tracker.snapshot(ACCOUNT_SID, clock.ms))
    keep(store.tracker.snapshot(ACCOUNT_SID, clock.ms))

    (notice,) = notices.posted
    assert notice.kind is NoticeKind.CAMPAIGN
    assert "0 of 5 calls came from any number" in notice.text
    assert store.campaigns.campaigns(ACCOUNT_SID)[0].ended_ms


def test_an_end_that_could_not_be_told_is_told_later(store: Store, clock: FrozenClock) -> None:
    announced(store, clock)
    notices = FailingOnce()
    keep = housekeeping(store, notices)
    clock.ms += LATE_CALLS_MS + 2000

    with pytest.raises(StoreUnavailable):
        keep(store.tracker.snapshot(ACCOUNT_SID, clock.ms))
    keep(store.tracker.snapshot(ACCOUNT_SID, clock.ms))

    assert len(notices.posted) == 1
