"""The watcher: which accounts it looks at, and when. Time, leases and looks are the test's."""

from collections.abc import Callable, Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from dataclasses import dataclass, field
from threading import Event

import pytest

from callguard.domain.attention import INCIDENT_SECONDS, LOOK_SECONDS, SUSPICION_SECONDS, rest_seconds
from callguard.domain.processes import HeldAccounts
from callguard.domain.snapshot import Finding, Rule, Snapshot, State, Suspicion, Word
from callguard.errors import StoreUnavailable
from callguard.watch.long_turns import LongTurns
from callguard.watch.own_accounts import HOLD_EVERY_SECONDS, Agenda, OwnAccounts
from callguard.watch.watcher import Watcher
from tests.frozen_clock import FrozenClock
from tests.outbox import Outbox

NOW_MS = 1_800_000_000_000
FINDING = Finding(Rule.SPIKE, 70, 65, "spike_burst", NOW_MS)


def test_the_agenda_gives_what_is_due_the_most_overdue_first() -> None:
    agenda = Agenda()
    for sid, at in (("a", 3.0), ("b", 1.0), ("c", 9.0)):
        agenda.put(sid, at)

    assert agenda.take(0.5) == []
    assert agenda.take(5.0) == ["b", "a"]
    assert agenda.take(5.0) == []
    assert agenda.take(9.0) == ["c"]


def test_the_earlier_of_two_times_counts_and_what_is_dropped_is_not_due() -> None:
    agenda = Agenda()
    agenda.put("a", 5.0)
    agenda.put("a", 1.0)
    agenda.put("a", 7.0)
    agenda.put("b", 1.0)
    agenda.drop("b")

    assert agenda.take(1.0) == ["a"]
    assert agenda.take(100.0) == []


def test_an_account_that_was_dropped_can_be_due_again() -> None:
    agenda = Agenda()
    agenda.put("a", 1.0)
    agenda.drop("a")
    agenda.put("a", 2.0)

    assert agenda.take(1.5) == []
    assert agenda.take(2.0) == ["a"]


@pytest.mark.parametrize(
    ("snapshot", "seconds"),
    [
        (Snapshot(NOW_MS), LOOK_SECONDS),
        (Snapshot(NOW_MS, suspicion=Suspicion(FINDING, NOW_MS)), SUSPICION_SECONDS),
        (Snapshot(NOW_MS, suspicion=Suspicion(FINDING, NOW_MS - 60_000)), LOOK_SECONDS),
        *((Snapshot(NOW_MS, state), INCIDENT_SECONDS) for state in (State.TRIPPED, State.DRAINING, State.COOLING)),
        (Snapshot(NOW_MS, State.DRAINING, paused=True), LOOK_SECONDS),
        (Snapshot(NOW_MS, paused=True, pause=Word(since_ms=1, until_ms=NOW_MS + 2_000)), 2.0),
        (Snapshot(NOW_MS, paused=True, pause=Word(since_ms=1, until_ms=NOW_MS + 90_000)), LOOK_SECONDS),
        (Snapshot(NOW_MS, paused=True, pause=Word(since_ms=1, until_ms=NOW_MS - 1)), SUSPICION_SECONDS),
    ],
)
def test_how_soon_an_account_is_looked_at_again(snapshot: Snapshot, seconds: float) -> None:
    assert rest_seconds(snapshot) == seconds


@dataclass
class Leases:
    """Leases that say what they are told to say."""

    held: HeldAccounts
    given_back: list[str] = field(default_factory=list)
    fails: bool = False

    def hold(self, owner: str, accounts: Sequence[str], give_back: Collection[str] = ()) -> HeldAccounts:
        del owner, accounts
        if self.fails:
            raise StoreUnavailable("away")
        self.given_back += give_back
        return self.held

    def give_up(self, owner: str) -> None:
        self.given_back.append(f"all of {owner}")


def test_accounts_are_let_go_before_they_are_given_back() -> None:
    now = 0.0
    leases = Leases(HeldAccounts(frozenset("abcd"), surplus=2))
    own = OwnAccounts("me", "abcd", leases, lambda: now)
    own.renew(lambda _sid: False)
    assert own.sids == {"a", "b"}
    assert leases.given_back == []

    leases.held = HeldAccounts(frozenset("abc"), surplus=1)
    now += HOLD_EVERY_SECONDS
    own.renew({"c"}.__contains__)
    assert leases.given_back == ["d"], "a look at c is under way"
    now += HOLD_EVERY_SECONDS
    own.renew(lambda _sid: False)

    assert leases.given_back == ["d", "c"]
    assert own.sids == {"a", "b"}


def test_leases_are_renewed_three_times_while_they_last() -> None:
    now = 0.0
    own = OwnAccounts("me", "ab", Leases(HeldAccounts(frozenset("ab"), 0)), lambda: now)

    assert own.renew(lambda _sid: False)
    now += HOLD_EVERY_SECONDS - 0.01
    assert not own.renew(lambda _sid: False)
    now += 0.01
    assert own.renew(lambda _sid: False)


@dataclass
class Looks:
    """A watch over an account that notes its looks."""

    rest: float = 30.0
    delay: float = 0.0
    looks: int = 0
    held_up: Event | None = None
    error: Exception | None = None

    def begin(self, share: float, delay: float) -> None:
        del share
        self.delay = delay

    def tick(self, snapshot: Snapshot) -> float:
        del snapshot
        self.looks += 1
        if self.held_up is not None:
            self.held_up.wait(5)
        if self.error is not None:
            raise self.error
        return self.rest


class Watching:
    """A watcher over such watches, and what it is told."""

    def __init__(self, *sids: str) -> None:
        self.watches = {sid: Looks() for sid in sids}
        self.leases = Leases(HeldAccounts(frozenset(sids), 0))
        self.news: list[str] = []
        self.reads: list[list[str]] = []
        self.followed: list[str] = []
        self.now = 1_000.0
        clock = FrozenClock(NOW_MS)
        long_turns = LongTurns(Outbox(), clock, lambda: self.now)
        self.watcher = Watcher(
            "me", self.watches, self.leases, self, self, self, clock, long_turns,
            monotonic=lambda: self.now, follow=self.followed.extend,
        )  # fmt: skip

    def beat(self, process: str, now_ms: int) -> None:
        del process, now_ms

    def ages(self, now_ms: int) -> dict[str, float]:
        del now_ms
        return {}

    def fresh(self) -> list[str]:
        news, self.news = self.news, []
        return news

    def snapshots(self, account_sids: Sequence[str], now_ms: int) -> list[Snapshot]:
        self.reads.append(list(account_sids))
        return [Snapshot(now_ms) for _ in account_sids]

    def turn(self, pool: ThreadPoolExecutor, seconds: float = 0.25) -> None:
        """Let the watcher take a turn, and its looks end unless they are held up."""
        self.watcher.turn(pool)
        under_way = [look for sid, look in self.watcher._under_way.items() if self.watches[sid].held_up is None]
        wait(under_way, timeout=5)
        self.now += seconds

    def looks(self) -> list[int]:
        return [watch.looks for watch in self.watches.values()]


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    """The threads of the looks."""
    with ThreadPoolExecutor(4) as pool:
        yield pool


def turns(watching: Watching, pool: ThreadPoolExecutor, until: Callable[[], bool], most: int = 1_000) -> int:
    for number in range(most):
        if until():
            return number
        watching.turn(pool)
    raise AssertionError("it never came to that")


def test_an_account_is_looked_at_when_it_is_due_and_not_before(pool: ThreadPoolExecutor) -> None:
    watching = Watching("a", "b")
    watching.watches["a"].rest = 1.0
    for _ in range(40):  # ten seconds
        watching.turn(pool)

    first, second = watching.looks()
    assert 8 <= first <= 11
    assert second == 1
    assert sum(map(len, watching.reads)) == first + second, "nothing is read of an account that is not due"


def test_news_of_an_account_is_looked_at_within_a_turn(pool: ThreadPoolExecutor) -> None:
    watching = Watching("a", "b")
    watching.turn(pool)
    watching.news = ["b", "an account of nobody here"]
    watching.turn(pool)

    assert watching.looks() == [1, 2]


def test_all_that_is_due_is_read_at_once(pool: ThreadPoolExecutor) -> None:
    watching = Watching("a", "b", "c")
    watching.turn(pool)

    assert watching.reads[0] == ["a", "b", "c"]


def test_accounts_that_are_taken_together_are_polled_one_after_the_other(pool: ThreadPoolExecutor) -> None:
    watching = Watching("a", "b", "c")
    watching.turn(pool)

    assert [watch.delay for watch in watching.watches.values()] == [0.0, 0.05, 0.1]


def test_a_look_that_takes_long_holds_up_no_other_and_is_not_doubled(pool: ThreadPoolExecutor) -> None:
    watching = Watching("slow", "quick")
    slow, quick = watching.watches.values()
    slow.held_up, quick.rest = Event(), 0.0
    for _ in range(8):
        watching.news = ["slow"]
        watching.turn(pool)
    assert slow.looks == 1
    assert quick.looks == 8

    slow.held_up.set()
    slow.held_up = None
    turns(watching, pool, lambda: slow.looks == 2)


def test_a_look_that_fails_is_taken_again(pool: ThreadPoolExecutor) -> None:
    watching = Watching("a")
    watching.watches["a"].error = StoreUnavailable("away")
    watching.turn(pool)
    watching.watches["a"].error = RuntimeError("a bug")
    turns(watching, pool, lambda: watching.watches["a"].looks == 2)
    watching.watches["a"].error = None

    turns(watching, pool, lambda: watching.watches["a"].looks == 3)


def test_accounts_of_another_watcher_are_not_looked_at_but_followed(pool: ThreadPoolExecutor) -> None:
    watching = Watching("a", "b")
    watching.leases.held = HeldAccounts(frozenset("a"), 0)
    watching.watches["a"].rest = watching.watches["b"].rest = 0.0
    watching.news = ["b"]
    watching.turn(pool)
    assert watching.looks() == [1, 0]
    assert watching.followed == ["b"]

    watching.leases.held = HeldAccounts(frozenset("b"), 0)
    turns(watching, pool, lambda: watching.watches["b"].looks == 3)
    assert watching.watches["a"].looks <= 5, "it was let go when the lease was"


def test_while_redis_is_away_nothing_is_looked_at_and_afterwards_all_that_is_due(pool: ThreadPoolExecutor) -> None:
    watching = Watching("a")
    watching.watches["a"].rest = 1.0
    watching.turn(pool)
    watching.leases.fails = True
    for _ in range(8):
        watching.turn(pool)
    assert watching.looks() == [1]

    watching.leases.fails = False
    turns(watching, pool, lambda: watching.looks() == [2])
