"""A process that falls silent is told of once, and so is its return."""

from collections.abc import Mapping

import pytest

from callguard.domain.notices import NoticeKind
from callguard.errors import StoreUnavailable
from callguard.watch.process_watch import ProcessWatch
from tests.outbox import Outbox

NOON = 1_767_355_200_000


class World:
    """Beats, a clock, and an outbox that several watches share."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self.clock_is_off_ms = 0
        self.beats: dict[str, int] = {}
        self.outbox = Outbox()
        self.is_away = False

    def now_ms(self) -> int:
        return NOON + round(self.seconds * 1000) + self.clock_is_off_ms

    def beat(self, process: str, now_ms: int) -> None:
        self.beats[process] = now_ms

    def ages(self, now_ms: int) -> Mapping[str, float]:
        if self.is_away:
            raise StoreUnavailable("away")
        return {process: max(0.0, (now_ms - beat) / 1000) for process, beat in self.beats.items()}

    def watch(self) -> ProcessWatch:
        return ProcessWatch(self, self.outbox, self, lambda: self.seconds)

    def pass_seconds(self, seconds: int, *watches: ProcessWatch, beating: tuple[str, ...] = ()) -> None:
        for _ in range(seconds):
            self.seconds += 1
            for process in beating:
                self.beat(process, self.now_ms())
            for watch in watches:
                try:
                    watch.look()
                except StoreUnavailable:
                    continue


@pytest.fixture
def world() -> World:
    return World()


def test_a_process_that_falls_silent_is_told_of_once_and_so_is_its_return(world: World) -> None:
    watches = [world.watch() for _ in range(3)]
    world.pass_seconds(60, *watches, beating=("watcher", "cancel-worker"))
    world.pass_seconds(29, *watches, beating=("cancel-worker",))
    assert world.outbox.posted == []

    world.pass_seconds(100, *watches, beating=("cancel-worker",))
    (gone,) = world.outbox.posted
    assert (gone.account_sid, gone.kind) == ("ALL", NoticeKind.PROCESS)
    assert gone.text.startswith("no watcher has given a sign of life for 30 s. Twilio's queue is not polled")
    assert "python -m workers" in gone.text

    world.pass_seconds(10, *watches, beating=("cancel-worker", "watcher"))
    assert world.outbox.texts[1:] == ["a watcher gives signs of life again, after 2 min. Nothing is to be done."]


@pytest.mark.parametrize("process", ["watcher", "cancel-worker", "web"])
def test_each_kind_says_what_that_means(process: str, world: World) -> None:
    watch = world.watch()
    world.pass_seconds(5, watch, beating=(process,))

    world.pass_seconds(35, watch)

    (text,) = world.outbox.texts
    assert text.startswith(f"no {process} has given a sign of life for 30 s. ")
    assert "tart" in text


def test_each_time_it_falls_silent_is_told(world: World) -> None:
    watch = world.watch()
    for _ in range(3):
        world.pass_seconds(5, watch, beating=("web",))
        world.pass_seconds(40, watch)

    assert [notice.text.partition(" ")[0] for notice in world.outbox.posted] == ["no", "a", "no", "a", "no"]


def test_beats_of_long_ago_are_given_time_to_come_anew(world: World) -> None:
    """The guard was off for a day: its processes start one after the other."""
    world.beats = {"watcher": NOON - 86_400_000, "cancel-worker": NOON - 86_400_000}
    watch = world.watch()

    world.pass_seconds(20, watch)
    world.pass_seconds(60, watch, beating=("watcher", "cancel-worker"))

    assert world.outbox.posted == []


def test_a_redis_that_was_away_is_no_silence_of_others(world: World) -> None:
    watch = world.watch()
    world.pass_seconds(5, watch, beating=("watcher",))
    world.is_away = True
    world.pass_seconds(120, watch)
    world.is_away = False

    world.pass_seconds(20, watch)
    world.pass_seconds(60, watch, beating=("watcher",))

    assert world.outbox.posted == []


@pytest.mark.parametrize("step_ms", [3_600_000, -3_600_000])
def test_a_clock_that_steps_is_no_silence(step_ms: int, world: World) -> None:
    watch = world.watch()
    world.pass_seconds(5, watch, beating=("watcher",))
    world.clock_is_off_ms = step_ms

    world.pass_seconds(60, watch, beating=("watcher",))

    assert world.outbox.posted == []


def test_a_kind_that_never_beat_is_not_missed(world: World) -> None:
    watch = world.watch()

    world.pass_seconds(100, watch, beating=("watcher",))

    assert world.outbox.posted == []
