"""A look at an account that does not end is told, whatever it waits for."""

import logging
import threading

import pytest

from callguard.domain.notices import NoticeKind
from callguard.watch.long_turns import LONG_SECONDS, LongTurns
from tests.conftest import ACCOUNT_SID
from tests.frozen_clock import FrozenClock
from tests.outbox import Outbox

OTHER_SID = "AC" + "9" * 32


class Hung:
    """A turn that waits until it is let go."""

    def __init__(self, turns: LongTurns, account_sid: str = ACCOUNT_SID) -> None:
        self._begun, self._go = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=turns.timed(account_sid, self._wait))
        self._thread.start()
        self._begun.wait()

    def _wait(self) -> None:
        self._begun.set()
        self._go.wait()

    def end(self) -> None:
        self._go.set()
        self._thread.join()


class Case:
    def __init__(self) -> None:
        self.now = 1_000.0
        self.outbox = Outbox()
        self.turns = LongTurns(self.outbox, FrozenClock(1_000_000), lambda: self.now)

    def look_after(self, seconds: float) -> None:
        self.now += seconds
        self.turns.look()


def test_a_turn_that_hangs_is_logged_once_a_minute_and_told(caplog: pytest.LogCaptureFixture) -> None:
    case = Case()
    hung = Hung(case.turns)
    try:
        case.look_after(LONG_SECONDS - 1)
        assert not caplog.records

        for _ in range(8):
            case.look_after(10)
    finally:
        hung.end()

    logged = [record.getMessage() for record in caplog.records]
    assert len(logged) == 3
    assert all(ACCOUNT_SID in line for line in logged)
    assert "has gone on for 39 s" in logged[0]
    assert "has gone on for 99 s" in logged[1]
    assert "has ended, after 109 s" in logged[2]
    assert case.outbox.posted[0].account_sid == ACCOUNT_SID
    assert case.outbox.posted[0].kind is NoticeKind.BLIND
    assert set(case.outbox.names) == {("long turn", 3600)}


def test_a_turn_that_ends_in_time_is_nobodys_business(caplog: pytest.LogCaptureFixture) -> None:
    case = Case()
    for _ in range(5):
        Hung(case.turns).end()
        case.look_after(20)

    assert not caplog.records
    assert not case.outbox.posted


def test_each_account_has_its_own(caplog: pytest.LogCaptureFixture) -> None:
    case = Case()
    hung = Hung(case.turns), Hung(case.turns, OTHER_SID)
    case.look_after(LONG_SECONDS)
    for each in hung:
        each.end()

    assert {notice.account_sid for notice in case.outbox.posted} == {ACCOUNT_SID, OTHER_SID}


def test_without_redis_it_is_logged_all_the_same(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    case = Case()
    case.outbox.is_down = True
    hung = Hung(case.turns)
    case.look_after(LONG_SECONDS)
    hung.end()

    assert "has gone on for 30 s" in caplog.text
    assert "nobody could be told of it" in caplog.text
