"""A lost reply must not make anything count twice, nor a trip be missed."""

from pathlib import Path

import pytest

from callguard.config.accounts import Account
from callguard.detect.guard import Guard
from callguard.domain.policy import Policy
from callguard.domain.snapshot import State
from callguard.domain.sources import Source
from callguard.errors import StoreUnavailable
from tests.calls import queued
from tests.conftest import ACCOUNT_SID, Store, build_store
from tests.frozen_clock import FrozenClock
from tests.guarded import NotedWakes
from tests.lossy_proxy import LossyProxy
from tests.outbox import Outbox

POLICY = Policy(cps=1, spike_burst=50, min_backlog=10)
ACCOUNT = Account(ACCOUNT_SID, ("a token",), policy=POLICY)


def test_repeats_after_lost_replies_count_once(
    redis_url: str, store: Store, clock: FrozenClock, tmp_path: Path
) -> None:
    """One reply in five is lost and its callback sent again, as Twilio's `rp=5xx` would have it."""
    proxy = LossyProxy(tmp_path / "lossy.sock", redis_url.removeprefix("unix://"), lambda n: n % 5 == 2)
    guard = _guard(build_store(proxy.url), clock)
    failures = 0
    for number in range(40):
        try:
            guard.take(ACCOUNT, [queued(number, clock.ms)], Source.CALLBACK)
        except StoreUnavailable:
            failures += 1
            guard.take(ACCOUNT, [queued(number, clock.ms)], Source.CALLBACK)
    proxy.close()

    assert failures == proxy.lost > 5
    totals = store.readings.read(ACCOUNT_SID, POLICY, clock.ms).totals
    assert totals["calls:queued"] == 40
    assert store.tracker.snapshot(ACCOUNT_SID, clock.ms).queued.level == 40


def test_the_repeat_of_the_call_that_crossed_the_line_trips(
    redis_url: str, store: Store, clock: FrozenClock, tmp_path: Path
) -> None:
    """It counts as a repeat, but the account's figures are judged all the same."""
    proxy = LossyProxy(tmp_path / "lossy.sock", redis_url.removeprefix("unix://"), lambda n: n == 49)
    guard = _guard(build_store(proxy.url), clock)
    for number in range(49):
        guard.take(ACCOUNT, [queued(number, clock.ms)], Source.CALLBACK)
    with pytest.raises(StoreUnavailable):
        guard.take(ACCOUNT, [queued(49, clock.ms)], Source.CALLBACK)
    assert store.tracker.snapshot(ACCOUNT_SID, clock.ms).state is State.ARMED

    assert guard.take(ACCOUNT, [queued(49, clock.ms)], Source.CALLBACK) == 0
    proxy.close()

    assert store.tracker.snapshot(ACCOUNT_SID, clock.ms).state is State.TRIPPED


def _guard(store: Store, clock: FrozenClock) -> Guard:
    return Guard(store.tracker, store.incidents, NotedWakes(), Outbox(), clock)
