"""A lease is kept for as long as its owner waits, and costs nothing where that is short."""

import os
import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

import pytest

from callguard.errors import StoreUnavailable
from callguard.mirror.renewed_lease import RenewedLease

SOON, LONG = 0.01, 30.0


class Renewals:
    """Counts renewals; `answer` is what each returns or does."""

    def __init__(self, answer: Callable[[], bool] = lambda: True) -> None:
        self.came: SimpleQueue[None] = SimpleQueue()
        self._answer = answer

    def __call__(self) -> bool:
        self.came.put(None)
        return self._answer()

    def wait(self, count: int) -> None:
        for _ in range(count):
            self.came.get(timeout=LONG)


def threads() -> set[threading.Thread]:
    return {thread for thread in threading.enumerate() if thread.name == "lease"}


def test_a_lease_is_renewed_until_the_block_is_over() -> None:
    renewals = Renewals()

    with RenewedLease(renewals, SOON) as lease:
        renewals.wait(3)
    while not renewals.came.empty():
        renewals.came.get()

    assert not lease.is_lost
    with pytest.raises(Empty):
        renewals.came.get(timeout=10 * SOON)


def test_blocks_that_end_before_the_first_renewal_start_no_threads() -> None:
    renewals, before = Renewals(), threads()

    for _ in range(100):
        with RenewedLease(renewals, LONG):
            assert threads() == before

    assert renewals.came.empty()


def test_a_lease_that_another_has_is_lost_and_renewed_no_more() -> None:
    lost = threading.Event()
    renewals = Renewals(lambda: lost.set() or False)  # type: ignore[func-returns-value]

    with RenewedLease(renewals, SOON) as lease:
        assert lost.wait(LONG)

    assert lease.is_lost
    assert renewals.came.qsize() == 1


def test_a_redis_that_is_away_loses_no_lease() -> None:
    def away() -> bool:
        raise StoreUnavailable("Redis did not answer")

    renewals = Renewals(away)
    with RenewedLease(renewals, SOON) as lease:
        renewals.wait(3)

    assert not lease.is_lost


def test_a_renewal_that_hangs_holds_up_no_other() -> None:
    goes_on = threading.Event()
    hangs, renewals = Renewals(lambda: goes_on.wait(LONG)), Renewals()

    with RenewedLease(hangs, SOON):
        hangs.wait(1)
        with RenewedLease(renewals, SOON):
            renewals.wait(3)
        goes_on.set()


def test_a_sooner_renewal_does_not_wait_for_a_later_one() -> None:
    renewals = Renewals()

    with RenewedLease(Renewals(), LONG), RenewedLease(renewals, SOON):
        renewals.wait(3)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")  # from Python 3.12 on: this process has threads
def test_a_fork_keeps_its_own_leases() -> None:
    """A thread does not live on in a fork; a work-horse is one."""
    with RenewedLease(Renewals(), LONG):
        child = os.fork()
        if not child:
            try:
                renewals = Renewals()
                with RenewedLease(renewals, SOON):
                    renewals.wait(2)
                os._exit(0)
            finally:
                os._exit(1)
        _, status = os.waitpid(child, 0)

    assert status == 0
