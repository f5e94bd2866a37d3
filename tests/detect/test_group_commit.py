"""Callbacks that come in together are counted together, each once, and none waits for ever."""

import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import pytest

from callguard.config.accounts import Account
from callguard.detect.group_commit import GroupCommit
from callguard.domain.calls import CallEvent
from callguard.errors import StoreUnavailable
from tests.calls import queued
from tests.conftest import ACCOUNT_SID
from tests.waiting import wait_until

ACCOUNT = Account(ACCOUNT_SID, ("a token",))
OTHER = Account("AC" + "f" * 32, ("a token",))


class SlowTake:
    """Takes groups one by one, each when it is let; fails those that it is told to."""

    def __init__(self) -> None:
        self.groups: list[list[CallEvent]] = []
        self.may_go = threading.Semaphore(0)
        self.fails = False
        self.waiting = 0

    def __call__(self, _: Account, events: Sequence[CallEvent]) -> int:
        self.waiting += 1
        self.may_go.acquire()
        self.waiting -= 1
        self.groups.append(list(events))
        if self.fails:
            raise StoreUnavailable("for the test")
        return len(events)


def test_what_comes_while_one_is_under_way_goes_together() -> None:
    take = SlowTake()
    gathering = GroupCommit(take)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(gathering.take, ACCOUNT, queued(0, 1000))
        wait_until(lambda: take.waiting == 1, "the first is under way")
        others = [pool.submit(gathering.take, ACCOUNT, queued(n, 1000 - n)) for n in range(1, 6)]
        wait_until(lambda: len(gathering._accounts[ACCOUNT_SID].open_batch.events) == 5, "five wait")
        take.may_go.release(2)
        for done in (first, *others):
            done.result(5)

    assert [len(group) for group in take.groups] == [1, 5]
    assert [event.at_ms for event in take.groups[1]] == [995, 996, 997, 998, 999]


def test_alone_nothing_waits() -> None:
    take = SlowTake()
    take.may_go.release(3)
    gathering = GroupCommit(take)
    for number in range(3):
        gathering.take(ACCOUNT, queued(number, 1000))

    assert [len(group) for group in take.groups] == [1, 1, 1]


def test_a_failure_is_told_to_everybody_in_the_group_and_to_nobody_else() -> None:
    take = SlowTake()
    gathering = GroupCommit(take)
    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(gathering.take, ACCOUNT, queued(0, 1000))
        wait_until(lambda: take.waiting == 1, "the first is under way")
        others = [pool.submit(gathering.take, ACCOUNT, queued(n, 1000)) for n in range(1, 4)]
        wait_until(lambda: len(gathering._accounts[ACCOUNT_SID].open_batch.events) == 3, "three wait")
        take.may_go.release()
        first.result(5)
        take.fails = True
        take.may_go.release()
        for other in others:
            with pytest.raises(StoreUnavailable):
                other.result(5)
        take.fails = False
        take.may_go.release()
        gathering.take(ACCOUNT, queued(9, 1000))


def test_accounts_do_not_wait_for_each_other() -> None:
    take = SlowTake()
    gathering = GroupCommit(take)
    with ThreadPoolExecutor(2) as pool:
        both = [pool.submit(gathering.take, account, queued(1, 1000)) for account in (ACCOUNT, OTHER)]
        wait_until(lambda: take.waiting == 2, "both are under way")
        take.may_go.release(2)
        for each in both:
            each.result(5)


def test_nothing_is_lost_or_doubled_in_a_crowd() -> None:
    taken: list[str] = []

    def take(_: Account, events: Sequence[CallEvent]) -> int:
        taken.extend(event.call_sid for event in events)
        return len(events)

    gathering = GroupCommit(take)
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(lambda n: gathering.take(ACCOUNT, queued(n, n)), range(3000)))

    assert len(taken) == len(set(taken)) == 3000
