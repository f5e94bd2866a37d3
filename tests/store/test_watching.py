"""Watchers share the accounts by lease, and hear of news."""

import time

import pytest
import redis

from callguard.domain.processes import HeldAccounts
from callguard.errors import StoreUnavailable
from callguard.store import watching
from callguard.store.connection import connect
from callguard.store.script_connections import ScriptConnections
from callguard.store.scripts import Scripts
from callguard.store.watching import RedisAccountLeases, RedisNews
from tests.conftest import Store
from tests.waiting import wait_until

ACCOUNTS = [f"AC{number:032x}" for number in range(10)]


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url, timeout=5.0)


@pytest.fixture
def leases(client: "redis.Redis", redis_url: str) -> RedisAccountLeases:
    return RedisAccountLeases(client, _scripts(redis_url))


def _scripts(url: str) -> Scripts:
    return Scripts(ScriptConnections(connect(url, timeout=5.0)))


def settled(leases: RedisAccountLeases, *owners: str) -> list[frozenset[str]]:
    """Let each watcher renew and give back what it should, a few times in turn."""
    held = {owner: HeldAccounts(frozenset(), 0) for owner in owners}
    for _ in range(3 * len(owners)):
        for owner in owners:
            surplus = sorted(held[owner].accounts)[: held[owner].surplus]
            held[owner] = leases.hold(owner, ACCOUNTS, surplus)
    return [held[owner].accounts for owner in owners]


def test_one_alone_has_all(leases: RedisAccountLeases) -> None:
    assert leases.hold("one", ACCOUNTS) == HeldAccounts(frozenset(ACCOUNTS), 0)


@pytest.mark.parametrize("watchers", [2, 3, 4])
def test_several_share_them_evenly_and_none_has_two(leases: RedisAccountLeases, watchers: int) -> None:
    parts = settled(leases, *map(str, range(watchers)))

    assert sorted(sid for part in parts for sid in part) == ACCOUNTS
    assert max(map(len, parts)) <= -(-len(ACCOUNTS) // watchers)


def test_one_that_joins_gets_its_part_only_when_it_is_given_back(leases: RedisAccountLeases) -> None:
    leases.hold("one", ACCOUNTS)
    assert leases.hold("two", ACCOUNTS).accounts == frozenset()

    first = leases.hold("one", ACCOUNTS)
    assert first == HeldAccounts(frozenset(ACCOUNTS), 5)
    leases.hold("one", ACCOUNTS, give_back=ACCOUNTS[:5])

    assert leases.hold("two", ACCOUNTS).accounts == frozenset(ACCOUNTS[:5])
    assert leases.hold("one", ACCOUNTS) == HeldAccounts(frozenset(ACCOUNTS[5:]), 0)


def test_more_watchers_than_accounts_leave_some_without(leases: RedisAccountLeases) -> None:
    for owner in ("one", "two", "three"):
        leases.hold(owner, ACCOUNTS[:1])

    assert leases.hold("one", ACCOUNTS[:1]) == HeldAccounts(frozenset(ACCOUNTS[:1]), 0)
    assert leases.hold("two", ACCOUNTS[:1]) == HeldAccounts(frozenset(), 0)


def test_whoever_ends_leaves_them_at_once(leases: RedisAccountLeases) -> None:
    settled(leases, "one", "two")
    leases.give_up("one")

    assert leases.hold("two", ACCOUNTS).accounts == frozenset(ACCOUNTS)


def test_whoever_is_killed_leaves_them_when_its_lease_ends(
    leases: RedisAccountLeases, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "WATCH_MS", 50)
    leases.hold("killed", ACCOUNTS)
    monkeypatch.setattr(watching, "WATCH_MS", 2500)

    wait_until(lambda: leases.hold("two", ACCOUNTS).accounts == frozenset(ACCOUNTS), "they are taken over")
    assert leases.hold("killed", ACCOUNTS).accounts == frozenset(), "it comes back, and has lost them"


def test_watchers_that_know_other_accounts_leave_none_alone(
    leases: RedisAccountLeases, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As while a changed list of accounts comes into force: half of the watchers is no reason to take half."""
    monkeypatch.setattr(watching, "WATCH_MS", 100)
    old, new = ACCOUNTS[:6], ACCOUNTS[6:]

    def all_are_watched() -> bool:
        held = leases.hold("old", old), leases.hold("new", new)
        assert [each.surplus for each in held] == [0, 0]
        return [len(each.accounts) for each in held] == [6, 4]

    wait_until(all_are_watched, "each has all that it knows")


def test_nothing_is_kept_for_ever(leases: RedisAccountLeases, client: "redis.Redis") -> None:
    settled(leases, "one", "two")

    keys = list(client.scan_iter("callguard:{watch}:*"))
    assert keys
    assert all(client.pttl(key) > 0 for key in keys)


def test_news_is_read_once_by_each_watcher(client: "redis.Redis", redis_url: str) -> None:
    web, one, two = (RedisNews(client, _scripts(redis_url)) for _ in range(3))
    web.tell(ACCOUNTS[1])
    web.tell(ACCOUNTS[0])

    assert one.fresh() == [ACCOUNTS[1], ACCOUNTS[0]]
    assert one.fresh() == []
    assert two.fresh() == [ACCOUNTS[1], ACCOUNTS[0]]


def test_one_process_tells_of_an_account_twice_a_second_at_most(client: "redis.Redis", redis_url: str) -> None:
    now = 100.0
    web, watcher = RedisNews(client, _scripts(redis_url), lambda: now), RedisNews(client, _scripts(redis_url))
    web.tell(ACCOUNTS[0])
    assert watcher.fresh() == [ACCOUNTS[0]]

    now += 0.4
    web.tell(ACCOUNTS[0])
    assert watcher.fresh() == []
    now += 0.1
    web.tell(ACCOUNTS[0])
    assert watcher.fresh() == [ACCOUNTS[0]]


def test_news_after_a_server_was_emptied_is_heard(client: "redis.Redis", redis_url: str) -> None:
    web, watcher = RedisNews(client, _scripts(redis_url)), RedisNews(client, _scripts(redis_url))
    web.tell(ACCOUNTS[0])
    watcher.fresh()
    client.flushall()
    web.tell(ACCOUNTS[1])

    assert watcher.fresh() == [ACCOUNTS[1]]


def test_one_bad_reply_among_many_leaves_the_connection_in_order(client: "redis.Redis", redis_url: str) -> None:
    scripts = _scripts(redis_url)
    client.set("callguard:{watch}:bad", "no hash", px=60_000)
    for number in (1, 2):
        client.hset(f"callguard:{{watch}}:{number}", "field", number)
        client.pexpire(f"callguard:{{watch}}:{number}", 60_000)
    keys = [f"callguard:{{watch}}:{name}" for name in ("1", "bad", "2")]

    with pytest.raises(StoreUnavailable, match="WRONGTYPE"):
        scripts.fields_each(keys, "field")

    assert scripts.fields_each(keys[::2], "field", "other") == [["1", None], ["2", None]]


def test_heartbeats_have_ages(store: Store) -> None:
    store.heartbeats.beat("watcher", 10_000)

    assert store.heartbeats.ages(12_500) == {"watcher": 2.5}


def test_accounts_are_read_together_as_each_alone(store: Store) -> None:
    now = time.time_ns() // 1_000_000
    store.incidents.pause(ACCOUNTS[3], "a test", now)

    together = store.tracker.snapshots(ACCOUNTS, now)

    assert together == [store.tracker.snapshot(sid, now) for sid in ACCOUNTS]
    assert [shot.paused for shot in together] == [number == 3 for number in range(10)]
