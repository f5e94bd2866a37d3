"""One process relays at a time, and as long as any lives, one does."""

import logging
import threading
from dataclasses import dataclass, field

import pytest

from callguard.domain.notices import Notice
from callguard.errors import StoreUnavailable
from callguard.store.connection import connect
from callguard.store.presence import RedisRelayLease
from callguard.store.script_connections import ScriptConnections
from callguard.store.scripts import Scripts
from callguard.watch import leased_relay as relay_module
from callguard.watch.leased_relay import LeasedRelay, RelayStarter
from callguard.watch.repeated import Repeated
from tests.waiting import wait_until
from tests.watch.test_notice_relay import World


def lease_at(redis_url: str) -> RedisRelayLease:
    return RedisRelayLease(
        connect(redis_url, timeout=5.0), Scripts(ScriptConnections(connect(redis_url, timeout=5.0)))
    )


@pytest.fixture
def world() -> World:
    return World()


@dataclass
class Lease:
    """A lease on the world's clock."""

    world: World
    holder: str = ""
    until: float = 0.0
    is_away: bool = False

    def _take(self, owner: str, seconds: float) -> bool:
        if self.is_away:
            raise StoreUnavailable("away")
        if self.is_held() and self.holder != owner:
            return False
        self.holder, self.until = owner, self.world.seconds + seconds
        return True

    def lead(self, owner: str) -> bool:
        return self._take(owner, 2.0)

    def lead_soon(self, owner: str) -> bool:
        return self._take(owner, 6.0)

    def is_held(self) -> bool:
        return self.world.seconds < self.until

    def step_down(self, owner: str) -> None:
        if self.holder == owner:
            self.until = 0.0


def relay_of(world: World, lease: Lease, owner: str) -> LeasedRelay:
    return LeasedRelay(owner, lease, world, world, world, lambda: world.seconds)


def test_one_relays_and_when_it_is_gone_another_does(world: World) -> None:
    lease = Lease(world)
    first, second = relay_of(world, lease, "first"), relay_of(world, lease, "second")
    world.posted("a")
    first.turn()
    second.turn()
    assert (first.is_leading, second.is_leading, len(world.tried)) == (True, False, 1)

    world.posted("b")
    waited = world.seconds
    while not second.is_leading:  # the first is killed
        world.seconds += 0.5
        second.turn()

    assert world.delivered == ["a", "b"]
    assert world.seconds - waited <= 2.5


def test_who_steps_down_is_followed_at_once(world: World) -> None:
    lease = Lease(world)
    first, second = relay_of(world, lease, "first"), relay_of(world, lease, "second")
    first.turn()

    first.step_down()
    second.turn()

    assert second.is_leading


def test_the_time_without_work_is_known(world: World) -> None:
    relay = relay_of(world, Lease(world), "me")
    world.fails = lambda _: True
    world.posted("a")
    for _ in range(30):
        relay.turn()
        world.seconds += 1
    assert relay.idle_seconds <= 1

    world.fails = lambda _: False
    for _ in range(400):
        relay.turn()
        world.seconds += 1

    assert world.delivered == ["a"]
    assert relay.idle_seconds > 60


@dataclass
class Children:
    """Processes that are started, and run as told."""

    owners: list[str] = field(default_factory=list)
    exit_code: int | None = None
    cannot: bool = False

    def start(self, owner: str) -> "Children":
        if self.cannot:
            raise OSError("no more processes")
        self.owners.append(owner)
        return self

    def poll(self) -> int | None:
        return self.exit_code


def starter_of(world: World, lease: Lease, children: Children, name: str = "one") -> RelayStarter:
    numbers = iter(range(100))
    return RelayStarter(lease, world, children.start, lambda: f"{name}-{next(numbers)}")


def look_for(world: World, seconds: int, *starters: RelayStarter) -> None:
    for _ in range(seconds):
        world.seconds += 1
        for starter in starters:
            starter.look()


def test_a_relay_is_started_where_notices_wait_and_nobody_relays(world: World) -> None:
    lease, children = Lease(world), Children()
    starters = [starter_of(world, lease, children, name) for name in ("web", "worker", "other")]
    look_for(world, 60, *starters)
    assert children.owners == [], "nothing waits"

    world.posted("a")
    look_for(world, 4, *starters)

    assert len(children.owners) == 1
    assert lease.holder == children.owners[0]


def test_a_relay_that_is_at_work_is_left_to_it(world: World) -> None:
    lease, children = Lease(world), Children()
    relay, starter = relay_of(world, lease, "watcher"), starter_of(world, lease, children)
    world.fails = lambda _: True
    world.posted("a")

    for _ in range(120):
        relay.turn()
        look_for(world, 1, starter)

    assert children.owners == []


def test_what_is_delivered_meanwhile_starts_nobody(world: World) -> None:
    children = Children()
    starter = starter_of(world, Lease(world), children)
    world.posted("a")
    look_for(world, 1, starter)
    world.box.clear()

    look_for(world, 10, starter)

    assert children.owners == []


def test_a_relay_that_dies_at_its_start_is_started_again_when_its_time_is_up(world: World) -> None:
    children = Children(exit_code=1)
    starter = starter_of(world, Lease(world), children)
    world.posted("a")

    look_for(world, 33, starter)

    assert 3 <= len(children.owners) <= 5


def test_where_no_process_can_be_started_it_is_said_and_tried_again(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    lease, children = Lease(world), Children(cannot=True)
    starter = starter_of(world, lease, children)
    world.posted("a")
    look_for(world, 3, starter)
    assert "a relay could not be started: no more processes" in caplog.text
    assert not lease.is_held()

    children.cannot = False
    look_for(world, 3, starter)

    assert len(children.owners) == 1


def test_the_lease_in_redis_is_one_for_all(redis_url: str) -> None:
    one, other = lease_at(redis_url), lease_at(redis_url)
    assert not one.is_held()

    assert one.lead_soon("a")
    assert other.is_held()
    assert not other.lead("b")
    assert other.lead("a"), "the process that was started takes it under the name that it was given"
    one.step_down("b")
    assert not other.lead("b")
    one.step_down("a")
    assert other.lead("b")


def test_while_a_receiver_hangs_the_lease_is_kept(
    redis_url: str, world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It lasts for two seconds, a receiver may take five."""
    monkeypatch.setattr(relay_module, "KEEP_EVERY_SECONDS", 0.05)
    release, begun = threading.Event(), threading.Event()

    def hang(_: Notice) -> bool:
        begun.set()
        release.wait(30)
        return False

    world.fails = hang
    world.posted("a")
    kept: list[str] = []

    class Counting(RedisRelayLease):
        def lead(self, owner: str) -> bool:
            kept.append(owner)
            return super().lead(owner)

    connection = connect(redis_url, timeout=5.0)
    lease = Counting(connection, Scripts(ScriptConnections(connect(redis_url, timeout=5.0))))
    relay = LeasedRelay("me", lease, world, world, world, lambda: world.seconds)
    turn = threading.Thread(target=relay.turn)
    turn.start()
    assert begun.wait(10)

    wait_until(lambda: len(kept) >= 3, "the lease is kept while the receiver is waited for")
    release.set()
    turn.join(10)

    assert world.delivered == ["a"]


def test_a_task_outlives_what_fails_and_says_so_once(caplog: pytest.LogCaptureFixture) -> None:
    rounds: list[int] = []

    def task() -> None:
        rounds.append(1)
        if len(rounds) < 4:
            raise StoreUnavailable("Redis did not answer")
        if len(rounds) == 5:
            raise ValueError("a bug")

    repeated = Repeated("notices", task, 0.001)
    with caplog.at_level(logging.WARNING):
        repeated.start()
        wait_until(lambda: len(rounds) >= 8, "it goes on")
    repeated.stop(5)

    assert caplog.text.count("notices: Redis did not answer; trying again") == 1
    assert caplog.text.count("notices failed; trying again") == 1
