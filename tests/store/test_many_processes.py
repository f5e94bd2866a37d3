"""Many processes at once: totals are exact."""

import multiprocessing

import pytest

from callguard.domain.calls import CallStatus
from callguard.domain.policy import Policy
from callguard.domain.sources import Source
from tests.calls import event, queued
from tests.conftest import ACCOUNT_SID, Store, build_store
from tests.frozen_clock import FrozenClock

pytestmark = pytest.mark.full

PROCESSES = 6
CALLS = 150
POLICY = Policy(cps=5)


def _tell_everything(url: str, start_ms: int, turn: int) -> None:
    """Tell of every call's life, each process in another order and everything twice."""
    store = build_store(url)
    for repeat in range(2):
        for step in range(CALLS):
            number = (step * 7 + turn * 31 + repeat) % CALLS
            news = [queued(number, start_ms), event(number, CallStatus.INITIATED, start_ms)]
            for item in news if turn % 2 else news[::-1]:
                store.tracker.observe(ACCOUNT_SID, [item], POLICY, start_ms, Source.CALLBACK)


def test_six_processes_telling_the_same_count_it_once(redis_url: str, clock: FrozenClock, store: Store) -> None:
    context = multiprocessing.get_context("spawn")
    processes = [
        context.Process(target=_tell_everything, args=(redis_url, clock.ms, turn)) for turn in range(PROCESSES)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(60)

    assert [process.exitcode for process in processes] == [0] * PROCESSES
    totals = store.readings.read(ACCOUNT_SID, POLICY, clock.ms).totals
    assert totals["calls:queued"] == CALLS
    assert totals["calls:initiated"] == CALLS
    assert totals["callbacks:accepted"] == 2 * CALLS
    assert totals["callbacks:accepted"] + totals["callbacks:duplicate"] == PROCESSES * CALLS * 4
    snapshot = store.tracker.snapshot(ACCOUNT_SID, clock.ms)
    assert snapshot.depth == 0
    assert snapshot.horizon_ms == clock.ms + CALLS * 1000 / POLICY.cps
    assert store.tracker.queued_since(ACCOUNT_SID, 1, clock.ms) == CALLS
