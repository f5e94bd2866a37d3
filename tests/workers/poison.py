"""Jobs under ids of our own form that are none of ours, and what else can be spoilt in RQ's keys."""

import json
import pickle
import zlib
from collections.abc import Callable
from typing import Any

from redis import Redis

from callguard.jobs.wake_up import DRAIN_JOB
from tests.guarded import SID

OTHER = "AC" + "2" * 32

Spoil = Callable[[Redis, str], object]
"""Spoils the job at a key."""


def says(data: bytes) -> Spoil:
    return lambda redis, key: redis.hset(key, "data", data)


def asks_for(*told: Any) -> Spoil:
    return says(zlib.compress(json.dumps(told).encode()))


def has(field: str, value: str) -> Spoil:
    return lambda redis, key: redis.hset(key, field, value)


def lacks(*fields: str) -> Spoil:
    return lambda redis, key: redis.hdel(key, *fields)


def instead(write: Spoil) -> Spoil:
    def spoil(redis: Redis, key: str) -> None:
        redis.delete(key)
        write(redis, key)

    return spoil


DROPPED: dict[str, Spoil] = {
    "data that is no text": says(b"\xff\xfe\x00"),
    "data that is no JSON": says(zlib.compress(b"{")),
    "data that is nested deep": says(zlib.compress(b"[" * 100_000)),
    "data that unpacks to very much": says(zlib.compress(b"[" + b" " * 500_000)),
    "data that is very much": says(b"x" * 5_000_000),
    "an empty text": says(b""),
    "another function": asks_for("os.system", None, ["touch /tmp/harm"], {}),
    "another account": asks_for(DRAIN_JOB, None, [OTHER, 1], {}),
    "another generation": asks_for(DRAIN_JOB, None, [SID, 2], {}),
    "too few arguments": asks_for(DRAIN_JOB, None, [SID], {}),
    "too many arguments": asks_for(DRAIN_JOB, None, [SID, 1, 1], {}),
    "arguments of another type": asks_for(DRAIN_JOB, None, {"account_sid": SID}, {}),
    "keyword arguments": asks_for(DRAIN_JOB, None, [SID, 1], {"generation": 1}),
    "an instance": asks_for(DRAIN_JOB, "x", [SID, 1], {}),
    "half a write": says(zlib.compress(json.dumps([DRAIN_JOB, None, [SID, 1], {}]).encode())[:20]),
    "another serializer": says(zlib.compress(pickle.dumps((DRAIN_JOB, None, (SID, 1), {})))),
    "no data": lacks("data"),
    "no status": lacks("status"),
    "only a heartbeat": instead(has("last_heartbeat", "2026-11-28T04:44:10.000000Z")),
    "a string in its place": instead(lambda redis, key: redis.set(key, "x")),
    "a list in its place": instead(lambda redis, key: redis.rpush(key, "x")),
    **{
        f"the status {status!r}": has("status", status)
        for status in ("scheduled", "deferred", "started", "finished", "failed", "canceled", "stopped", "zzz", "")
    },
}

TAKEN: dict[str, Spoil] = {
    "nothing": lambda redis, key: redis.exists(key),
    **{
        f"the timeout {value!r}": has("timeout", value) for value in ("99999999999", "-5", "0", "1e9", "zzz", "9h")
    },
    **{f"the ttl {value!r}": has("ttl", value) for value in ("-1", "x")},
    "a result kept for ever": has("result_ttl", "-1"),
    "failures kept for ever": has("failure_ttl", "-1"),
    "no moment": has("created_at", "zzz"),
    "no moment when it was enqueued": has("enqueued_at", "\udce9".encode("utf-8", "surrogateescape").hex()),
    "another queue": has("origin", "default"),
    "retries": has("retries_left", "1000000"),
    "no number of retries": has("retries_left", "zzz"),
    "repeats": has("repeats_left", "1000000"),
    "dependencies": has("dependency_ids", "[1"),
    "a group": has("group_id", "x"),
    "callbacks": has("failure_callback_name", "os.abort"),
    "callbacks with odd timeouts": has("success_callback_timeout", "zzz"),
    "webhooks": has("webhooks", '[{"url": "http://127.0.0.1:9/", "job_status": "finished"}]'),
}

FOREIGN: list[bytes] = [
    *(b"junk", b"\xff\xfe", b"", b"a b", b"x" * 100_000, f"{SID}-1".encode(), f"{SID}-1-0123abcd ".encode()),
    *(f"{SID}-{'9' * 5_000}-0123abcd".encode(), f"{SID}-\u0661-0123abcd".encode(), b"0" * 36),
]
