"""The relay delivers oldest first, comes back with growing pauses, and holds up nobody."""

import logging
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import pairwise

import pytest

from callguard.domain.notices import Delivery, Notice, NoticeKind
from callguard.domain.results import NoticeResult
from callguard.watch.notice_relay import NoticeRelay

SID = "AC" + "0" * 31 + "1"
START_MS = 1_800_000_000_000


class World:
    """An outbox in memory, a receiver that fails as told, and a clock."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.box: dict[str, Notice] = {}
        self.delivered: list[str] = []
        self.tried: list[tuple[float, str]] = []
        self.taken: dict[str, frozenset[str]] = {}
        self.offered: list[frozenset[str]] = []
        self.takers = ["1-json"]
        self.results: list[NoticeResult | None] = []
        self.fails: Callable[[Notice], bool] = lambda _: False
        self.seconds_a_try = 0.0
        self.notice_relay = NoticeRelay(self, self, self, lambda: self.seconds)

    def now_ms(self) -> int:
        return START_MS + round(self.seconds * 1000)

    def post(self, notice: Notice, *, once: str = "", every_seconds: int = 0) -> bool:  # noqa: ARG002
        self.box[str(len(self.box) + len(self.delivered))] = notice
        return True

    def waiting(self, count: int) -> list[tuple[str, Notice]]:
        return list(self.box.items())[:count]

    def done(self, notice_id: str, result: NoticeResult | None = None) -> None:
        self.delivered.append(self.box.pop(notice_id).text)
        self.results.append(result)

    def failed(self, notice_id: str, taken_by: Collection[str]) -> None:
        self.taken[notice_id] = frozenset(taken_by)
        self.results.append(NoticeResult.FAILED)

    def taken_by(self, notice_id: str) -> frozenset[str]:
        return self.taken.get(notice_id, frozenset())

    def deliver(self, notice: Notice, taken_by: Collection[str] = ()) -> Delivery:
        self.tried.append((self.seconds, notice.text))
        self.offered.append(frozenset(taken_by))
        self.seconds += self.seconds_a_try
        return Delivery(not self.fails(notice), frozenset(self.takers))

    def posted(self, *texts: str, kind: NoticeKind = NoticeKind.WARNING) -> None:
        for text in texts:
            self.post(Notice(SID, kind, text, self.now_ms()))

    def pass_seconds(self, seconds: float, step: float = 1.0) -> None:
        until = self.seconds + seconds
        while self.seconds < until:
            self.notice_relay.deliver_some()
            self.seconds += step


@pytest.fixture
def world() -> World:
    return World()


def test_the_oldest_is_delivered_first_and_taken_out(world: World) -> None:
    world.posted("a", "b", "c")

    world.notice_relay.deliver_some()

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
    world.notice_relay.deliver_some()
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

    world.notice_relay.deliver_some()

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

    assert world.notice_relay._tries == {}


def test_what_became_of_each_is_counted(world: World) -> None:
    world.posted("a", "b")
    world.fails = lambda notice: notice.text == "b"
    world.notice_relay.deliver_some()
    world.seconds += 25 * 3600
    world.notice_relay.deliver_some()

    assert world.results == [NoticeResult.DELIVERED, NoticeResult.FAILED, NoticeResult.GIVEN_UP]


def test_where_nobody_is_named_nothing_counts_as_delivered(world: World) -> None:
    world.takers = []
    world.posted("a")

    world.notice_relay.deliver_some()

    assert (world.delivered, world.results) == (["a"], [None])


def test_whoever_takes_over_sends_nobody_the_same_again(world: World) -> None:
    world.fails = lambda _: True
    world.posted("a")
    world.notice_relay.deliver_some()
    successor = NoticeRelay(world, world, world, lambda: world.seconds)

    successor.deliver_some()

    assert world.offered == [frozenset(), frozenset({"1-json"})]


@dataclass
class _Lease:
    is_lost: bool = False


def test_who_loses_the_lease_ends_after_the_notice_under_way(world: World) -> None:
    lease = _Lease()

    @contextmanager
    def keep() -> Iterator[_Lease]:
        yield lease

    def lose(notice: Notice) -> bool:
        lease.is_lost = notice.text == "b"
        return False

    world.fails = lose
    notice_relay = NoticeRelay(world, world, world, lambda: world.seconds, keep)
    world.posted("a", "b", "c")

    notice_relay.deliver_some()

    assert world.delivered == ["a", "b"]


def test_who_is_stopped_delivers_nothing_more(world: World) -> None:
    world.posted("a")
    world.notice_relay.stop()

    world.notice_relay.deliver_some()

    assert world.delivered == []
