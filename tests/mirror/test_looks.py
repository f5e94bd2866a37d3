"""Looks at Twilio's list: the front for what is new, whole passes for what has left."""

import time
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

import pytest

from callguard.config.accounts import Account
from callguard.detect.guard import Guard
from callguard.domain.calls import ListedCall, ListedPage
from callguard.domain.policy import Policy
from callguard.domain.throughput import Throughput
from callguard.errors import StoreUnavailable, TwilioUnavailable
from callguard.mirror import reconcile
from callguard.mirror import renewed_lease as kept_lease
from callguard.mirror.reconcile import QueueReading, Reconciler
from callguard.simulator import ListOrder
from callguard.store import presence
from tests.calls import call_sid
from tests.conftest import ACCOUNT_SID, Store
from tests.frozen_clock import FrozenClock
from tests.guarded import NotedWakes, guarded, trip_at
from tests.outbox import Outbox
from tests.waiting import wait_until

ACCOUNT = Account(ACCOUNT_SID, ("token",), policy=Policy(cps=10, spike_burst=100_000, max_backlog=1_000_000))


@dataclass
class PagedList:
    """Twilio's list, of which a test says what it holds; ten calls a page, and each page asked for is counted."""

    calls: list[ListedCall] = field(default_factory=list)
    newest_first: bool = True
    pages_read: int = 0
    fail_at: int = 10_000

    def queued_calls(self, account_sid: str) -> Iterator[ListedPage]:
        del account_sid
        calls = self.calls[::-1] if self.newest_first else list(self.calls)
        for start in range(0, max(1, len(calls)), 10):
            self.pages_read += 1
            if self.pages_read > self.fail_at:
                raise TwilioUnavailable("away")
            yield ListedPage(calls[start : start + 10], is_last=start + 10 >= len(calls))

    def cancel(self, account_sid: str, call_sid: str) -> Any:
        raise NotImplementedError

    def look_up(self, account_sid: str, call_sid: str) -> Any:
        raise NotImplementedError


@dataclass
class Looking:
    """A reconciler, its list, and the store that it fills."""

    listed: PagedList
    store: Store
    clock: FrozenClock
    reconciler: Reconciler
    _numbers: Iterator[int] = field(default_factory=count)

    def create(self, calls: int) -> None:
        for _ in range(calls):
            self.clock.ms += 100
            at = self.clock.ms // 1000 * 1000
            number = next(self._numbers)
            waits_ms = round(len(self.listed.calls) * 1000 / ACCOUNT.policy.cps)
            self.listed.calls.append(ListedCall(call_sid(number), at, waits_ms, "+15550001111", "+15550002222"))

    def look(self, *, whole: bool = False) -> int:
        """Look, and return how many pages were read for it."""
        before = self.listed.pages_read
        assert self.reconciler.look(ACCOUNT, retire=True, whole=whole).taken
        return self.listed.pages_read - before

    @property
    def depth(self) -> int:
        return self.store.tracker.snapshot(ACCOUNT_SID, self.clock.ms).depth


@pytest.fixture
def looking(store: Store, clock: FrozenClock) -> Looking:
    listed = PagedList()
    guard = Guard(store.tracker, store.incidents, NotedWakes(), Outbox(), clock)
    return Looking(
        listed, store, clock, Reconciler(listed, store.tracker, guard, clock, store.poll_lease, "tests")
    )


def test_a_look_reads_what_is_new_and_no_more(looking: Looking) -> None:
    looking.create(95)
    assert looking.look() == 10, "the first look reads all"
    assert looking.depth == 95

    looking.create(3)
    assert looking.look() == 1
    assert looking.depth == 98

    looking.create(25)
    assert looking.look() == 3
    assert looking.depth == 123


def test_a_whole_pass_comes_every_fifteen_seconds_and_finds_what_has_left(looking: Looking) -> None:
    looking.create(95)
    looking.look()
    looking.clock.pass_seconds(14)
    del looking.listed.calls[:40]
    assert looking.look() == 1
    assert looking.depth == 95

    looking.clock.pass_seconds(2)
    assert looking.look() == 6
    assert looking.depth == 55


def test_a_suspicion_is_worth_a_whole_pass(looking: Looking) -> None:
    looking.create(95)
    looking.look()
    assert looking.look(whole=True) == 10


def test_no_look_reads_more_pages_than_its_budget(looking: Looking) -> None:
    """250 calls are 25 pages: the first three looks read them, and each begins with what is new."""
    looking.create(250)
    assert looking.look() == reconcile.MAX_PAGES_A_LOOK
    assert looking.depth == 100

    looking.create(1)
    assert looking.look() == reconcile.MAX_PAGES_A_LOOK
    assert looking.depth == 191, "a page of news, and nine of the pass that goes on"
    looking.look()
    assert looking.depth == 251


def test_a_leap_over_more_than_the_budget_leaves_no_gap(looking: Looking) -> None:
    looking.create(15)
    looking.look()
    looking.create(150)
    looking.look()
    looking.look()

    assert looking.depth == 165


def test_where_the_oldest_come_first_every_look_goes_to_the_end(looking: Looking) -> None:
    """Twilio promises no order. A first page of known calls says nothing of the others."""
    looking.listed.newest_first = False
    looking.create(45)
    looking.look()
    looking.create(5)
    looking.look()

    assert looking.depth == 50


def test_a_pass_that_broke_begins_anew(looking: Looking) -> None:
    looking.create(250)
    looking.look()
    looking.listed.fail_at = looking.listed.pages_read + 3
    with pytest.raises(TwilioUnavailable):
        looking.look()

    looking.listed.fail_at = 10_000
    for _ in range(3):
        looking.look()
    assert looking.depth == 250


def test_nothing_is_read_while_another_process_reads(looking: Looking) -> None:
    looking.store.poll_lease.take(ACCOUNT_SID, "another")

    assert not looking.reconciler.look(ACCOUNT, retire=True, whole=False).taken
    assert looking.listed.pages_read == 0


def test_a_failed_look_frees_the_list_for_others(looking: Looking) -> None:
    looking.listed.fail_at = 0
    with pytest.raises(TwilioUnavailable):
        looking.look()

    assert looking.store.poll_lease.take(ACCOUNT_SID, "another")


def test_quotes_that_are_not_kept_are_no_longer_believed(looking: Looking) -> None:
    """Calls that should have been dialled half a minute ago are still queued: so much for what they were told."""
    looking.create(30)
    looking.look()
    quoted = looking.store.tracker.snapshot(ACCOUNT_SID, looking.clock.ms)
    assert quoted.drain_seconds == pytest.approx(3, abs=1.1)
    assert quoted.quoted_ms

    looking.clock.pass_seconds(30)
    looking.look()
    seen = looking.store.tracker.snapshot(ACCOUNT_SID, looking.clock.ms)
    assert not seen.quoted_ms
    assert seen.drain_seconds == pytest.approx(3, abs=0.2), "thirty calls still need thirty slots"


def test_a_list_without_quotes_is_counted(looking: Looking) -> None:
    looking.create(30)
    looking.listed.calls = [replace(call, queue_ms=None) for call in looking.listed.calls]
    looking.look()

    seen = looking.store.tracker.snapshot(ACCOUNT_SID, looking.clock.ms)
    assert not seen.quoted_ms
    assert seen.drain_seconds == pytest.approx(3, abs=0.2)


@pytest.mark.parametrize("order", list(ListOrder))
def test_a_real_list_is_read_whatever_its_order(redis_url: str, order: ListOrder) -> None:
    """2,500 calls of the simulated Twilio, which pages as Twilio does."""
    with guarded(redis_url, trip_at(cps=1, spike_burst=100_000, max_backlog=100_000), list_order=order) as g:
        looks: list[QueueReading] = []

        def look() -> bool:
            looks.append(g.reconciler.look(g.account, retire=True, whole=False))
            return looks[-1].taken

        g.queue_calls(2500)
        wait_until(look, "nobody else reads the list", timeout=30)
        g.queue_calls(40)
        for _ in range(2):
            wait_until(look, "nobody else reads the list", timeout=30)

        depth = g.store.tracker.snapshot(g.account.sid, 0).depth
        assert g.truth().queued <= depth <= g.truth().queued + 5, looks


def test_a_page_that_could_not_be_kept_is_read_again(looking: Looking, monkeypatch: pytest.MonkeyPatch) -> None:
    """The store goes away amid a pass: it must not count as whole without that page."""
    looking.create(250)
    looking.look()
    observe, calls = looking.store.tracker.observe, iter(range(100))

    def failing(*given: Any, **options: Any) -> Any:
        if next(calls) == 3:
            raise StoreUnavailable("away")
        return observe(*given, **options)

    monkeypatch.setattr(looking.store.tracker, "observe", failing)
    with pytest.raises(StoreUnavailable):
        looking.look()
    for _ in range(3):
        looking.look()

    assert looking.depth == 250


def test_a_leap_amid_a_whole_pass_leaves_no_gap(looking: Looking) -> None:
    looking.create(250)
    looking.look()
    looking.create(250)
    for _ in range(6):
        looking.look()

    assert looking.depth == 500


def test_what_was_read_after_the_lease_was_lost_is_not_used(
    looking: Looking, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another process reads meanwhile: our page, for which we waited, is older than its."""
    monkeypatch.setattr(reconcile, "CERTAIN_SECONDS", 0.0)
    looking.create(5)
    pages = looking.listed.queued_calls

    def overtaken(account_sid: str) -> Iterator[ListedPage]:
        for page in pages(account_sid):
            looking.store.poll_lease.give_back(ACCOUNT_SID, "tests")
            looking.store.poll_lease.take(ACCOUNT_SID, "another")
            yield page

    monkeypatch.setattr(looking.listed, "queued_calls", overtaken)

    assert not looking.reconciler.look(ACCOUNT, retire=True, whole=False).taken
    assert looking.depth == 0
    assert not looking.store.poll_lease.take(ACCOUNT_SID, "tests"), "the other keeps its lease"


def test_a_slow_page_does_not_cost_the_lease(looking: Looking, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept_lease, "KEEP_EVERY_SECONDS", 0.05)
    monkeypatch.setattr(presence, "POLL_MS", 200)
    looking.create(5)
    pages = looking.listed.queued_calls

    def slow(account_sid: str) -> Iterator[ListedPage]:
        time.sleep(0.6)
        assert not looking.store.poll_lease.take(ACCOUNT_SID, "another")
        yield from pages(account_sid)

    monkeypatch.setattr(looking.listed, "queued_calls", slow)

    assert looking.reconciler.look(ACCOUNT, retire=True, whole=False).taken
    assert looking.depth == 5


def test_where_nothing_is_queued_the_mirror_is_not_read(looking: Looking, monkeypatch: pytest.MonkeyPatch) -> None:
    looking.create(5)
    looking.look()
    looking.listed.calls.clear()
    looking.clock.pass_seconds(16)
    looking.look()
    assert looking.depth == 0, "what has left is looked for once"
    monkeypatch.setattr(looking.store.tracker, "mirrored", lambda _sid: pytest.fail("it was read"))

    assert looking.reconciler.look(ACCOUNT, retire=True, whole=False).complete
    assert looking.store.tracker.snapshot(ACCOUNT_SID, looking.clock.ms).polled_ms == looking.clock.ms


def test_what_is_learned_of_the_cps_outlives_an_empty_queue(looking: Looking) -> None:
    """The window under way is given up; what two windows agreed on stays."""
    learned = Throughput(looking.clock.ms, 7, 3.0, 3.5)
    policy, now_ms = ACCOUNT.policy, looking.clock.ms
    looking.store.tracker.polled(ACCOUNT_SID, policy, now_ms, None, learned, began_ms=now_ms)

    looking.look()

    seen = looking.store.tracker.snapshot(ACCOUNT_SID, looking.clock.ms).throughput
    assert seen == Throughput(0, 0, 3.0, 3.5)


def test_holes_in_the_queue_are_cancelled_calls(looking: Looking) -> None:
    """Every second call has vanished, but the oldest still waits: no dialler did that."""
    looking.create(90)
    looking.look()
    looking.clock.pass_seconds(16)
    looking.listed.calls = looking.listed.calls[::2]
    looking.look()

    seen = looking.store.tracker.snapshot(ACCOUNT_SID, looking.clock.ms)
    assert seen.depth == 45
    assert seen.dead_until_ms > looking.clock.ms - 16_000
    assert seen.departed <= 20, "some near the head may have been dialled, as far as whole seconds tell"
