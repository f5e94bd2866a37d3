"""Who lives, and what each process tells of itself."""

import json
import os
import socket

import pytest
import redis

from callguard.domain.processes import Fingerprint
from callguard.store.connection import connect
from callguard.store.keys import HEARTBEATS, PROCESSES
from callguard.store.presence import RedisHeartbeats

NOW = 1_800_000_000_000
OURS = Fingerprint("1.2.3", {"policy": "abc"})


@pytest.fixture
def client(redis_url: str) -> "redis.Redis":
    return connect(redis_url, timeout=5.0)


def process(client: "redis.Redis", name: str, fingerprint: Fingerprint = OURS) -> RedisHeartbeats:
    return RedisHeartbeats(client, name, lambda: fingerprint)


def test_a_process_tells_what_it_is(client: "redis.Redis") -> None:
    process(client, "a").beat("watcher", NOW)

    (told,) = process(client, "reader").processes(NOW + 1000)

    assert (told.kind, told.host, told.pid) == ("watcher", socket.gethostname(), os.getpid())
    assert told.fingerprint == OURS


def test_two_of_a_kind_are_two_processes(client: "redis.Redis") -> None:
    other = Fingerprint("1.2.3", {"policy": "xyz"})
    process(client, "a").beat("cancel-worker", NOW)
    process(client, "b", other).beat("cancel-worker", NOW)

    told = [p.fingerprint for p in process(client, "reader").processes(NOW)]
    assert sorted(told, key=lambda each: each.settings["policy"]) == [OURS, other]


def test_one_that_shows_itself_does_not_beat(client: "redis.Redis") -> None:
    """The web process: whether it serves is for a probe to see."""
    web = process(client, "a")
    web.show("web", NOW)

    assert web.ages(NOW) == {}
    assert [p.kind for p in web.processes(NOW)] == ["web"]


def test_one_that_leaves_or_was_killed_is_gone(client: "redis.Redis") -> None:
    leaving, killed = process(client, "a"), process(client, "b")
    leaving.beat("watcher", NOW)
    killed.beat("cancel-worker", NOW)
    leaving.leave()
    client.hdel(HEARTBEATS, "watcher")

    assert [p.kind for p in killed.processes(NOW + 30_000)] == ["cancel-worker"]
    assert killed.processes(NOW + 30_001) == []


def test_the_next_that_starts_clears_away_the_long_dead(client: "redis.Redis") -> None:
    """Else a process that dies at each start would fill the key; nor does a wrong clock keep one for ever."""
    process(client, "dead").show("web", NOW - 600_001)
    process(client, "of the future").show("web", NOW + 600_001)
    process(client, "silent").show("web", NOW - 60_000)
    # A fresh entry of the future would have cleared away the dead: each is written anew.
    dead = {"kind": "web", "host": "h", "pid": 1, "version": "1", "settings": {}, "at": NOW - 600_001}
    client.hset(PROCESSES, "dead", json.dumps(dead))
    process(client, "new").show("web", NOW)

    assert set(client.hkeys(PROCESSES)) == {"silent", "new"}


def test_the_heartbeats_of_an_older_guard_are_read(client: "redis.Redis") -> None:
    client.hset(HEARTBEATS, "watcher", str(NOW - 2_000))
    client.hset(HEARTBEATS, "cancel-worker", str(NOW - 31_000))

    reader = process(client, "a")

    assert reader.ages(NOW) == {"watcher": 2.0, "cancel-worker": 31.0}
    (older,) = reader.processes(NOW)
    assert (older.kind, older.host, older.fingerprint.version) == ("watcher", "", "")
    assert OURS.differing(older.fingerprint) == ("version",)


def test_an_older_guard_reads_ours(client: "redis.Redis") -> None:
    """It takes every field of the key that it knows for a number."""
    process(client, "a").beat("watcher", NOW)
    process(client, "b").show("web", NOW)

    assert {kind: int(at) for kind, at in client.hgetall(HEARTBEATS).items()} == {"watcher": NOW}


@pytest.mark.parametrize("text", ["", "no JSON", "[]", "7", "{}", '{"kind": "web", "at": 1}'])
def test_what_another_version_tells_in_another_way_is_passed_over(client: "redis.Redis", text: str) -> None:
    client.hset(PROCESSES, "other", text)
    client.expire(PROCESSES, 60)
    ours = process(client, "a")
    ours.show("web", NOW)

    assert len(ours.processes(NOW)) == 1
