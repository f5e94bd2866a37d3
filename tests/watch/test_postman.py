"""The postman delivers oldest first, comes back with growing pauses, and holds up nobody."""

import logging
import threading
import time
from collections.abc import Callable
from itertools import pairwise
from typing import Any

import pytest

from callguard.ports import Notice, NoticeKind, StoreUnavailable
from callguard.watch import postman as postman_module
from callguard.watch.postman import Postman
from callguard.watch.watcher import Watcher
from tests.waiting import wait_until

SID = "AC" + "0" * 31 + "1"
START_MS = 1_800_000_000_000


class World:
    """An outbox in memory, a receiver that fails as told, and a clock."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.box: dict[str, Notice] = {}
        self.delivered: list[str] = []
        self.tried: list[tuple[float, str]] = []
        self.fails: Callable[[Notice], bool] = lambda _: False
        self.seconds_a_try = 0.0
        self.postman = Postman(self, self, self, lambda: self.seconds)

    def now_ms(self) -> int:
        return START_MS + round(self.seconds * 1000)

    def post(self, notice: Notice, *, once: str = "", every_seconds: int = 0) -> bool:  # noqa: ARG002
        self.box[str(len(self.box) + len(self.delivered))] = notice
        return True

    def waiting(self, count: int) -> list[tuple[str, Notice]]:
        return list(self.box.items())[:count]

    def done(self, notice_id: str) -> None:
        self.delivered.append(self.box.pop(notice_id).text)

    def deliver(self, notice: Notice) -> bool:
        self.tried.append((self.seconds, notice.text))
        self.seconds += self.seconds_a_try
        return not self.fails(notice)

    def posted(self, *texts: str, kind: NoticeKind = NoticeKind.WARNING) -> None:
        for text in texts:
            self.post(Notice(SID, kind, text, self.now_ms()))

    def pass_seconds(self, seconds: float, step: float = 1.0) -> None:
        until = self.seconds + seconds
        while self.seconds < until:
            self.postman.deliver_some()
            self.seconds += step


@pytest.fixture
def world() -> World:
    return World()


def test_the_oldest_is_delivered_first_and_taken_out(world: World) -> None:
    world.posted("a", "b", "c")

    world.postman.deliver_some()

    assert world.delivered == ["a", "b", "c"]
    assert world.box == {}


def test_pauses_grow_from_two_seconds_to_five_minutes(world: World) -> None:
    world.fails = lambda _: True
    world.posted("a")

    world.pass_seconds(1800)

    at = [round(seconds) for seconds, _ in world.tried]
    pauses = [after - before for before, after in pairwise(at)]
    assert pauses[:9] == [2, 4, 8, 16, 32, 64, 128, 256, 300]
    assert set(pauses[9:]) == {300}
    assert world.box, "nothing is lost while it fails"


def test_one_that_is_never_taken_holds_up_no_other(world: World) -> None:
    world.fails = lambda notice: notice.text == "poison"
    world.posted("poison", "a")
    world.postman.deliver_some()
    assert world.delivered == ["a"]

    world.pass_seconds(60)
    world.posted("b")
    world.pass_seconds(2)

    assert world.delivered == ["a", "b"]
    assert len(world.box) == 1


def test_after_an_outage_all_is_due_at_once(world: World) -> None:
    world.fails = lambda _: True
    world.posted("a", "b")
    world.pass_seconds(400)
    world.fails = lambda _: False
    world.posted("c")

    world.pass_seconds(3)

    assert world.delivered == ["c", "a", "b"]


def test_a_slow_failure_does_not_starve_what_is_new(world: World) -> None:
    """With more old failures than turns have time for, what was never tried still goes first."""
    world.seconds_a_try = 5.0
    world.fails = lambda notice: notice.text != "new"
    world.posted(*(f"old {number}" for number in range(200)))
    world.pass_seconds(1500)
    world.posted("new")

    world.pass_seconds(30)

    assert world.delivered == ["new"]


def test_a_notice_is_given_up_after_a_day(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.fails = lambda _: True
    world.posted("a")

    world.pass_seconds(24 * 3600 - 400, step=20)
    assert world.box
    assert "given up" not in caplog.text
    world.pass_seconds(1000, step=20)

    assert world.box == {}
    assert [r.levelno for r in caplog.records if "given up telling after 24 h: a" in r.message] == [logging.ERROR]


def test_an_old_notice_is_tried_before_it_is_given_up(world: World) -> None:
    world.posted("a")
    world.seconds += 48 * 3600

    world.postman.deliver_some()

    assert world.tried
    assert world.delivered == ["a"]


def test_every_notice_is_logged_once_whoever_else_is_told(world: World, caplog: pytest.LogCaptureFixture) -> None:
    world.fails = lambda _: True
    world.posted("half way")
    world.posted("armed again", kind=NoticeKind.ARMED)

    with caplog.at_level(logging.INFO):
        world.pass_seconds(30)

    logged = [(record.levelname, record.message) for record in caplog.records]
    assert logged == [
        ("WARNING", f"account {SID}: warning: half way"),
        ("INFO", f"account {SID}: armed: armed again"),
    ]


def test_what_is_delivered_is_forgotten(world: World) -> None:
    world.posted("a", "b")
    world.pass_seconds(3)

    assert world.postman._tries == {}


class _Leading:
    def lead(self, owner: str) -> bool:  # noqa: ARG002
        return True

    def step_down(self, owner: str) -> None:
        pass

    def beat(self, process: str, now_ms: int) -> None:
        pass

    def ages(self, now_ms: int) -> dict[str, float]:  # noqa: ARG002
        return {}


def watching(world: World, postman: Postman | None = None) -> tuple[threading.Event, threading.Thread]:
    """Start a watcher without accounts, with a postman."""
    stop = threading.Event()
    no_account: Any = None
    watcher = Watcher("me", [], no_account, _Leading(), _Leading(), world, postman or world.postman)
    thread = threading.Thread(target=watcher.run, args=(stop.is_set,))
    thread.start()
    return stop, thread


def test_the_watcher_that_leads_sends_the_postman(world: World) -> None:
    world.posted("a")
    stop, thread = watching(world)

    wait_until(lambda: world.delivered == ["a"], "the notice is delivered")

    stop.set()
    thread.join(5)
    assert not thread.is_alive()


def test_the_end_waits_for_one_delivery_at_most(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(postman_module, "TURN_SECONDS", 3600)
    world.posted(*"abcdefghij")
    begun = threading.Event()

    def slow(notice: Notice) -> bool:
        begun.set()
        time.sleep(0.6)
        return True

    world.fails = slow
    stop, thread = watching(world)
    assert begun.wait(5)
    stop.set()
    started = time.monotonic()

    thread.join(10)

    assert time.monotonic() - started < 2.5
    assert len(world.tried) < 5


def test_an_outbox_that_is_away_is_outlived(world: World, caplog: pytest.LogCaptureFixture) -> None:
    def away(count: int) -> list[tuple[str, Notice]]:
        del world.waiting
        raise StoreUnavailable("Redis did not answer")

    world.waiting = away  # type: ignore[method-assign]
    world.posted("a")
    stop, thread = watching(world)
    wait_until(lambda: "notices: Redis did not answer" in caplog.text, "the outage is logged")
    world.seconds += 2

    wait_until(lambda: world.delivered == ["a"], "the notice is delivered after it")

    stop.set()
    thread.join(5)
