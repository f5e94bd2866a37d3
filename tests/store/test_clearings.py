"""The record of a `callguard cancel`: it adds up, whatever is repeated, and survives its process."""

import itertools
import random
from collections.abc import Iterator

import pytest
import redis

from callguard.domain.clearing import Added, FoundCall
from callguard.domain.incidents import Outcome
from callguard.ports import StoreUnavailable
from callguard.store.clearings import RedisClearings
from callguard.store.connection import connect
from callguard.store.script_connections import ScriptConnections
from callguard.store.scripts import Scripts
from tests.calls import call_sid
from tests.conftest import ACCOUNT_SID


@pytest.fixture
def clearings(redis_url: str) -> RedisClearings:
    return RedisClearings(connect(redis_url, timeout=5), Scripts(ScriptConnections(connect(redis_url, timeout=5))))


@pytest.fixture
def raw(redis_url: str) -> Iterator["redis.Redis"]:
    with redis.Redis.from_url(redis_url, decode_responses=True) as client:
        yield client


def found(*numbers: int, spared: bool = False) -> list[FoundCall]:
    return [FoundCall(call_sid(number), 1_000 * number, spared) for number in numbers]


def test_the_oldest_are_at_the_head_whatever_the_order_of_the_list(clearings: RedisClearings) -> None:
    numbers = list(range(1, 1201))
    random.Random(1).shuffle(numbers)
    clearing = clearings.begin(ACCOUNT_SID, "seal", 5_000)

    assert clearing.add(found(*numbers)) == Added(fresh=1200)
    assert list(clearing.head(3)) == [call_sid(1), call_sid(2), call_sid(3)]
    assert len(clearing.head(10_000)) == 1200
    assert list(clearing.head(0)) == []


def test_each_call_is_found_once_and_settled_once(clearings: RedisClearings) -> None:
    clearing = clearings.begin(ACCOUNT_SID, "seal", 5_000)
    clearing.add(found(1, 2, 3))
    clearing.add(found(3, 2, 1))

    for _ in range(2):
        assert clearing.settle([(call_sid(1), Outcome.CANCELLED), (call_sid(2), Outcome.DIALLED)])
    assert clearing.settle([(call_sid(1), Outcome.DIALLED)])
    assert clearing.settle([(call_sid(9), Outcome.CANCELLED)])

    account = clearing.account()
    assert (account.found, account.remaining) == (3, 1)
    assert account.outcomes == {Outcome.CANCELLED: 1, Outcome.DIALLED: 1}
    assert clearing.known() == {call_sid(1), call_sid(2), call_sid(3)}


@pytest.mark.parametrize("seed", range(20))
def test_the_account_adds_up_whatever_happens(seed: int, clearings: RedisClearings) -> None:
    chance = random.Random(seed)
    clearing = clearings.begin(ACCOUNT_SID, "seal", 5_000)
    settling = [outcome for outcome in Outcome if outcome not in (Outcome.SPARED, Outcome.OBSERVED)]
    for _ in range(60):
        numbers = chance.sample(range(1, 30), 5)
        if chance.random() < 0.5:
            again = chance.choice([(), (Outcome.GONE,), (Outcome.GONE, Outcome.FAILED)])
            clearing.add(found(*numbers, spared=chance.random() < 0.2), again=again)
        else:
            clearing.settle([(call_sid(number), chance.choice(settling)) for number in numbers])
        account = clearing.account()
        assert account.found == sum(account.outcomes.values()) + account.remaining == len(clearing.known())
        assert min([0, *account.outcomes.values()]) == 0


def test_what_is_listed_though_it_is_over_is_not_begun_again(clearings: RedisClearings) -> None:
    clearing = clearings.begin(ACCOUNT_SID, "seal", 5_000)
    clearing.add(found(*range(1, 6)))
    outcomes = (Outcome.CANCELLED, Outcome.DIALLED, Outcome.GONE, Outcome.FAILED)
    clearing.settle(list(zip(map(call_sid, itertools.count(1)), outcomes, strict=False)))

    assert clearing.add(found(*range(1, 7))) == Added(fresh=1, again=0, over=3)
    assert clearing.add(found(*range(1, 7)), again=(Outcome.GONE,)) == Added(fresh=1, again=1, over=2)
    assert clearing.add(found(4), again=(Outcome.FAILED,)) == Added(fresh=1, again=1)
    assert clearing.account().count(Outcome.FAILED) == 0
    assert list(clearing.head(9)) == [call_sid(number) for number in (3, 4, 5, 6)]


def test_a_call_that_is_spared_from_now_on_is_not_cancelled_any_more(clearings: RedisClearings) -> None:
    clearing = clearings.begin(ACCOUNT_SID, "seal", 5_000)
    clearing.add(found(1, 2))

    assert clearing.add(found(1, spared=True)) == Added()
    assert list(clearing.head(9)) == [call_sid(2)]
    assert clearing.account().found == 2
    assert clearing.account().count(Outcome.SPARED) == 1


def test_it_is_taken_up_by_another_process(clearings: RedisClearings, redis_url: str) -> None:
    clearing = clearings.begin(ACCOUNT_SID, "seal", 5_000)
    clearing.add(found(1, 2))
    clearing.settle([(call_sid(1), Outcome.CANCELLED)])
    other = RedisClearings(connect(redis_url), Scripts(ScriptConnections(connect(redis_url))))

    unfinished = other.unfinished(ACCOUNT_SID)

    assert unfinished is not None
    assert (unfinished.began_ms, unfinished.sealed_numbers) == (5_000, "seal")
    assert unfinished.account == clearing.account()
    assert list(other.resume(ACCOUNT_SID, unfinished).head(9)) == [call_sid(2)]
    other.forget(ACCOUNT_SID)
    assert clearings.unfinished(ACCOUNT_SID) is None


def test_one_that_another_has_replaced_cancels_nothing_more(clearings: RedisClearings) -> None:
    old = clearings.begin(ACCOUNT_SID, "seal", 5_000)
    old.add(found(1, 2))
    new = clearings.begin(ACCOUNT_SID, "seal", 6_000)
    new.add(found(3))

    assert not old.settle([])
    assert not old.settle([(call_sid(3), Outcome.CANCELLED)])
    with pytest.raises(StoreUnavailable):
        old.add(found(4))
    assert new.settle([])
    assert new.account().remaining == new.account().found == 1


def test_everything_expires(clearings: RedisClearings, raw: "redis.Redis") -> None:
    clearing = clearings.begin(ACCOUNT_SID, "seal", 5_000)
    assert all(raw.ttl(key) > 0 for key in raw.scan_iter())
    clearing.add(found(1, 2))
    clearing.settle([(call_sid(1), Outcome.CANCELLED)])

    lives = {key: raw.ttl(key) for key in raw.scan_iter()}
    assert len(lives) == 3
    assert all(0 < life <= 25 * 3600 for life in lives.values())
