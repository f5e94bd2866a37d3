"""Who is not let in is counted; wrong keys are slowed and told, and slow down nobody else."""

import logging
from typing import Any

import pytest

from callguard.config.api_keys import Role
from callguard.domain.notices import EVERY_ACCOUNT
from callguard.domain.results import ApiRefusal
from callguard.errors import StoreUnavailable
from callguard.web.api.refusals import FREE_TRIES, MANY, MAX_PEERS, MAX_WAIT_SECONDS, MAX_WAITING, Refusals
from tests.frozen_clock import FrozenClock
from tests.outbox import Outbox
from tests.web.api.served import KEYS, Services

PEER, OTHER = "192.0.2.1", "192.0.2.2"


class Case:
    """Refusals on a clock that only sleeping moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []
        self.outbox = Outbox()
        self.refusals = Refusals(FrozenClock(1_000_000), self.outbox, lambda: self.now, self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds

    def wrong(self, count: int, peer: str = PEER) -> None:
        for _ in range(count):
            self.refusals.note(ApiRefusal.WRONG_KEY, peer)

    def counted(self) -> dict[str, int]:
        written: dict[str, int] = {}
        self.refusals.write(written.update)
        return written


def test_wrong_keys_of_one_address_are_answered_one_a_second() -> None:
    case = Case()

    case.wrong(FREE_TRIES)
    assert case.slept == []
    case.wrong(60)

    assert case.now == pytest.approx(60, abs=1)
    assert max(case.slept) <= MAX_WAIT_SECONDS


def test_another_address_does_not_wait() -> None:
    case = Case()
    case.wrong(30)
    case.slept.clear()

    case.wrong(FREE_TRIES, OTHER)

    assert case.slept == []


def test_a_network_of_ipv6_is_one_sender() -> None:
    case = Case()

    for number in range(30):
        case.wrong(1, f"2001:db8::{number:x}")

    assert len(case.slept) == 30 - FREE_TRIES


def test_who_has_rested_is_answered_at_once_again() -> None:
    case = Case()
    case.wrong(30)
    case.now += 60
    case.slept.clear()

    case.wrong(FREE_TRIES)

    assert case.slept == []


def test_only_so_many_wait_at_once() -> None:
    """Each holds a connection."""
    case = Case()
    deep = 0

    def sleep_and_ask_again(seconds: float) -> None:
        nonlocal deep
        deep += 1
        case.slept.append(seconds)
        case.refusals.note(ApiRefusal.WRONG_KEY, PEER)

    case.refusals._sleep = sleep_and_ask_again
    case.wrong(FREE_TRIES + 1)

    assert deep == MAX_WAITING


def test_a_million_addresses_take_no_memory() -> None:
    case = Case()

    for number in range(3 * MAX_PEERS):
        case.wrong(1, f"10.{number >> 16}.{number >> 8 & 255}.{number & 255}")

    assert len(case.refusals._due_at) == MAX_PEERS


def test_many_are_told_and_each_minute_logged(caplog: pytest.LogCaptureFixture) -> None:
    case = Case()

    case.wrong(3 * MANY)

    (notice,) = case.outbox.posted
    assert notice.account_sid == EVERY_ACCOUNT
    assert f"{MANY} wrong keys" in notice.text
    assert len(caplog.records) == 1
    assert PEER in caplog.text
    assert case.counted() == {"wrong_key": 3 * MANY}


def test_without_redis_nothing_is_lost(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    case = Case()
    case.outbox.is_down = True
    case.wrong(MANY)

    def fail(_: object) -> None:
        raise StoreUnavailable("no answer")

    with pytest.raises(StoreUnavailable):
        case.refusals.write(fail)

    assert "nobody could be told" in caplog.text
    assert case.counted() == {"wrong_key": MANY}
    assert case.counted() == {}


def test_a_right_key_does_not_wait_for_a_neighbours_wrong_ones(services: Services) -> None:
    """Behind a proxy they have one address."""
    slept: list[float] = []
    refusals = Refusals(services.clock, services.notices, sleep=slept.append)
    client: Any = services.app(refusals).test_client()
    for _ in range(FREE_TRIES + 5):
        assert client.get("/api/accounts", headers={"x-api-key": "guessed-key"}).status_code == 401
    assert len(slept) == 5
    slept.clear()

    answer = client.get("/api/accounts", headers={"x-api-key": KEYS[Role.VIEWER].key})

    assert answer.status_code == 200
    assert slept == []
