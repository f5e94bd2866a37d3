"""Campaigns end by themselves, and people hear of it."""

import itertools

import pytest

from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.campaigns import Campaign
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.policy import Policy
from callguard.domain.snapshot import Rule
from callguard.domain.sources import Source
from callguard.errors import StoreUnavailable
from callguard.watch.housekeeping import LATE_CALLS_MS, LOOK_SECONDS, PRUNE_SECONDS, Housekeeping
from tests.calls import call_sid
from tests.conftest import ACCOUNT_SID, Store
from tests.frozen_clock import FrozenClock
from tests.outbox import Outbox

POLICY = Policy(cps=1, initiated_rate=0.5, initiated_burst=100)
_CALLS = itertools.count()


class FailingOnce(Outbox):
    """An outbox that is away at the first post."""

    def post(self, notice: Notice, *, once: str = "", every_seconds: int = 0) -> bool:
        if not self.failed:
            self.failed = True
            raise StoreUnavailable("away")
        return super().post(notice, once=once, every_seconds=every_seconds)

    failed = False


def observed(store: Store, clock: FrozenClock, calls: int, number: str) -> None:
    events = [
        CallEvent(call_sid(next(_CALLS)), CallStatus.INITIATED, clock.ms, sender=number) for _ in range(calls)
    ]
    store.tracker.observe(ACCOUNT_SID, events, POLICY, clock.ms, Source.CALLBACK)


def numbers(store: Store, clock: FrozenClock) -> set[str]:
    return {s.sender for s in store.tracker.senders(ACCOUNT_SID, Rule.INITIATED, POLICY, clock.ms)}


def housekeeping(store: Store, notices: Outbox) -> Housekeeping:
    ticks = itertools.count(step=LOOK_SECONDS)
    account = Account(ACCOUNT_SID, ("token",), policy=POLICY)
    return Housekeeping(account, store.tracker, store.campaigns, notices, lambda: next(ticks))


def announced(store: Store, clock: FrozenClock) -> Campaign:
    campaign = Campaign("0000abcd", 5, 0, "", "", clock.ms, clock.ms + 1000, "a person")
    store.campaigns.announce(ACCOUNT_SID, campaign)
    return campaign


def test_a_campaign_ends_a_while_after_its_time(store: Store, clock: FrozenClock) -> None:
    """Its last calls may be heard of late."""
    announced(store, clock)
    notices = Outbox()
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


def test_numbers_that_are_quiet_are_forgotten_once_a_minute(store: Store, clock: FrozenClock) -> None:
    keep = housekeeping(store, Outbox())

    def minute() -> None:
        for _ in range(round(PRUNE_SECONDS / LOOK_SECONDS)):
            clock.pass_seconds(LOOK_SECONDS)
            keep(store.tracker.snapshot(ACCOUNT_SID, clock.ms))

    observed(store, clock, 40, "a" * 10)
    observed(store, clock, 1, "b" * 10)
    minute()
    assert numbers(store, clock) == {"a" * 10}, "its bucket is not empty yet"
    clock.pass_seconds(3600)
    minute()
    assert numbers(store, clock) == set()

    observed(store, clock, 1, "c" * 10)
    minute()
    assert numbers(store, clock) == set(), "what has come since is forgotten too"


def test_where_nothing_was_counted_no_numbers_are_looked_for(
    store: Store, clock: FrozenClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    keep = housekeeping(store, Outbox())
    pruned: list[None] = []
    monkeypatch.setattr(store.tracker, "prune_senders", lambda *_: pruned.append(None))
    for _ in range(round(5 * PRUNE_SECONDS / LOOK_SECONDS)):
        keep(store.tracker.snapshot(ACCOUNT_SID, clock.ms))

    assert len(pruned) == 1, "what a watcher before this one has left is forgotten"


def test_an_end_that_could_not_be_told_is_told_later(store: Store, clock: FrozenClock) -> None:
    announced(store, clock)
    notices = FailingOnce()
    keep = housekeeping(store, notices)
    clock.ms += LATE_CALLS_MS + 2000

    with pytest.raises(StoreUnavailable):
        keep(store.tracker.snapshot(ACCOUNT_SID, clock.ms))
    keep(store.tracker.snapshot(ACCOUNT_SID, clock.ms))

    assert len(notices.posted) == 1
