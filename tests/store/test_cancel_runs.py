"""The record of a `callguard cancel`: it adds up, whatever is repeated, and survives its process."""

import itertools
import random
from collections.abc import Iterator

import pytest
import redis

from callguard.domain.cancel_run import Added, FoundCall
from callguard.domain.tally import Outcome
from callguard.errors import StoreUnavailable
from callguard.store.cancel_runs import RedisCancelRuns
from callguard.store.connection import connect
from callguard.store.script_connections import ScriptConnections
from callguard.store.scripts import Scripts
from tests.calls import call_sid
from tests.conftest import ACCOUNT_SID


@pytest.fixture
def cancel_runs(redis_url: str) -> RedisCancelRuns:
    return RedisCancelRuns(
        connect(redis_url, timeout=5), Scripts(ScriptConnections(connect(redis_url, timeout=5)))
    )


@pytest.fixture
def raw(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def found(*numbers: int, protected: bool = False) -> list[FoundCall]:
    return [FoundCall(call_sid(number), 1_000 * number, protected) for number in numbers]


def test_the_oldest_are_at_the_head_whatever_the_order_of_the_list(cancel_runs: RedisCancelRuns) -> None:
    numbers = list(range(1, 1201))
    random.Random(1).shuffle(numbers)
    cancel_run = cancel_runs.begin(ACCOUNT_SID, "seal", 5_000)

    assert cancel_run.add(found(*numbers)) == Added(fresh=1200)
    assert list(cancel_run.head(3)) == [call_sid(1), call_sid(2), call_sid(3)]
    assert len(cancel_run.head(10_000)) == 1200
    assert list(cancel_run.head(0)) == []


def test_each_call_is_found_once_and_settled_once(cancel_runs: RedisCancelRuns) -> None:
    cancel_run = cancel_runs.begin(ACCOUNT_SID, "seal", 5_000)
    cancel_run.add(found(1, 2, 3))
    cancel_run.add(found(3, 2, 1))

    for _ in range(2):
        assert cancel_run.settle([(call_sid(1), Outcome.CANCELLED), (call_sid(2), Outcome.DIALLED)])
    assert cancel_run.settle([(call_sid(1), Outcome.DIALLED)])
    assert cancel_run.settle([(call_sid(9), Outcome.CANCELLED)])

    account = cancel_run.tally()
    assert (account.found, account.remaining) == (3, 1)
    assert account.outcomes == {Outcome.CANCELLED: 1, Outcome.DIALLED: 1}
    assert cancel_run.known() == {call_sid(1), call_sid(2), call_sid(3)}


@pytest.mark.parametrize("seed", range(20))
def test_the_account_adds_up_whatever_happens(seed: int, cancel_runs: RedisCancelRuns) -> None:
    chance = random.Random(seed)
    cancel_run = cancel_runs.begin(ACCOUNT_SID, "seal", 5_000)
    settling = [outcome for outcome in Outcome if outcome not in (Outcome.PROTECTED, Outcome.OBSERVED)]
    for _ in range(60):
        numbers = chance.sample(range(1, 30), 5)
        if chance.random() < 0.5:
            again = chance.choice([(), (Outcome.GONE,), (Outcome.GONE, Outcome.FAILED)])
            cancel_run.add(found(*numbers, protected=chance.random() < 0.2), again=again)
        else:
            cancel_run.settle([(call_sid(number), chance.choice(settling)) for number in numbers])
        account = cancel_run.tally()
        assert account.found == sum(account.outcomes.values()) + account.remaining == len(cancel_run.known())
        assert min([0, *account.outcomes.values()]) == 0


def test_what_is_listed_though_it_is_over_is_not_begun_again(cancel_runs: RedisCancelRuns) -> None:
    cancel_run = cancel_runs.begin(ACCOUNT_SID, "seal", 5_000)
    cancel_run.add(found(*range(1, 6)))
    outcomes = (Outcome.CANCELLED, Outcome.DIALLED, Outcome.GONE, Outcome.FAILED)
    cancel_run.settle(list(zip(map(call_sid, itertools.count(1)), outcomes, strict=False)))

    assert cancel_run.add(found(*range(1, 7))) == Added(fresh=1, again=0, over=3)
    assert cancel_run.add(found(*range(1, 7)), again=(Outcome.GONE,)) == Added(fresh=1, again=1, over=2)
    assert cancel_run.add(found(4), again=(Outcome.FAILED,)) == Added(fresh=1, again=1)
    assert cancel_run.tally().count(Outcome.FAILED) == 0
    assert list(cancel_run.head(9)) == [call_sid(number) for number in (3, 4, 5, 6)]


def test_a_call_that_is_spared_from_now_on_is_not_cancelled_any_more(cancel_runs: RedisCancelRuns) -> None:
    cancel_run = cancel_runs.begin(ACCOUNT_SID, "seal", 5_000)
    cancel_run.add(found(1, 2))

    assert cancel_run.add(found(1, protected=True)) == Added()
    assert list(cancel_run.head(9)) == [call_sid(2)]
    assert cancel_run.tally().found == 2
    assert cancel_run.tally().count(Outcome.PROTECTED) == 1


def test_it_is_taken_up_by_another_process(cancel_runs: RedisCancelRuns, redis_url: str) -> None:
    cancel_run = cancel_runs.begin(ACCOUNT_SID, "seal", 5_000)
    cancel_run.add(found(1, 2))
    cancel_run.settle([(call_sid(1), Outcome.CANCELLED)])
    other = RedisCancelRuns(connect(redis_url), Scripts(ScriptConnections(connect(redis_url))))

    unfinished = other.unfinished(ACCOUNT_SID)

    assert unfinished is not None
    assert (unfinished.began_ms, unfinished.numbers_digest) == (5_000, "seal")
    assert unfinished.tally == cancel_run.tally()
    assert list(other.resume(ACCOUNT_SID, unfinished).head(9)) == [call_sid(2)]
    other.forget(ACCOUNT_SID)
    assert cancel_runs.unfinished(ACCOUNT_SID) is None


def test_one_that_another_has_replaced_cancels_nothing_more(cancel_runs: RedisCancelRuns) -> None:
    old = cancel_runs.begin(ACCOUNT_SID, "seal", 5_000)
    old.add(found(1, 2))
    new = cancel_runs.begin(ACCOUNT_SID, "seal", 6_000)
    new.add(found(3))

    assert not old.settle([])
    assert not old.settle([(call_sid(3), Outcome.CANCELLED)])
    with pytest.raises(StoreUnavailable):
        old.add(found(4))
    assert new.settle([])
    assert new.tally().remaining == new.tally().found == 1


def test_everything_expires(cancel_runs: RedisCancelRuns, raw: "redis.Redis") -> None:
    cancel_run = cancel_runs.begin(ACCOUNT_SID, "seal", 5_000)
    assert all(raw.ttl(key) > 0 for key in raw.scan_iter())
    cancel_run.add(found(1, 2))
    cancel_run.settle([(call_sid(1), Outcome.CANCELLED)])

    lives = {key: raw.ttl(key) for key in raw.scan_iter()}
    assert len(lives) == 3
    assert all(0 < life <= 25 * 3600 for life in lives.values())
