"""Who is alive, who relays notices, and who reads an account's list."""

import json
import os
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from redis import Redis
from redis.client import Pipeline

from callguard.domain.processes import ALIVE_SECONDS, Fingerprint, RunningProcess
from callguard.store.connection import translated_errors
from callguard.store.keys import HEARTBEATS, PROCESSES, RELAY, WRITABLE, AccountKeys
from callguard.store.retention import (
    FORGOTTEN_PROCESS_MS,
    POLL_MS,
    PROCESSES_SECONDS,
    RELAY_MS,
    RELAY_START_MS,
    WRITABLE_SECONDS,
)
from callguard.store.scripts import Scripts


class RedisHeartbeats:
    """Fulfils `Presence`.

    The newest beat of each kind has the same form in every version. What a process says of itself is kept under
    a key of its own, which older versions do not read.
    """

    def __init__(
        self, connection: Redis, name: str = "", fingerprint: Callable[[], Fingerprint] | None = None
    ) -> None:
        """Use `connection`. Writes what `fingerprint` returns under `name`, which no other process has."""
        self._redis = connection
        self._name = name
        self._fingerprint = fingerprint
        self._told: dict[str, Any] = {}

    def beat(self, process: str, now_ms: int) -> None:
        """Write the beat, and what this process is."""
        with translated_errors(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.hset(HEARTBEATS, process, str(now_ms))
            self._tell(pipeline, process, now_ms)
            pipeline.execute()

    def show(self, process: str, now_ms: int) -> None:
        """Write what this process is."""
        with translated_errors(), self._redis.pipeline(transaction=False) as pipeline:
            self._tell(pipeline, process, now_ms)
            pipeline.execute()

    def leave(self) -> None:
        """Remove it."""
        with translated_errors():
            self._redis.hdel(PROCESSES, self._name)

    def prove_writable(self) -> None:
        """Write a key that a server refuses whenever it would refuse a callback."""
        with translated_errors():
            self._redis.set(WRITABLE, "1", ex=WRITABLE_SECONDS)

    def ages(self, now_ms: int) -> Mapping[str, float]:
        """Read all beats."""
        with translated_errors():
            beats: Any = self._redis.hgetall(HEARTBEATS)
        return _ages(beats, now_ms)

    def ages_if_writable(self, now_ms: int) -> Mapping[str, float]:
        """Write, and read all beats, in one round trip."""
        with translated_errors(), self._redis.pipeline(transaction=False) as pipeline:
            pipeline.set(WRITABLE, "1", ex=WRITABLE_SECONDS)
            pipeline.hgetall(HEARTBEATS)
            _, beats = pipeline.execute()
        return _ages(beats, now_ms)

    def processes(self, now_ms: int) -> Sequence[RunningProcess]:
        """Read the living processes. A kind with beats but no processes is of an older version."""
        alive = [
            RunningProcess(told["kind"], told["host"], told["pid"], Fingerprint(told["version"], told["settings"]))
            for _, told in self._read()
            if abs(now_ms - told["at"]) <= ALIVE_SECONDS * 1000
        ]
        silent = {kind for kind, age in self.ages(now_ms).items() if age <= ALIVE_SECONDS}
        silent -= {process.kind for process in alive}
        alive += [RunningProcess(kind, "", 0, Fingerprint("", {})) for kind in silent]
        return sorted(alive, key=lambda process: (process.kind, process.host, process.pid))

    def _tell(self, pipeline: Pipeline, process: str, now_ms: int) -> None:
        if self._fingerprint is None:
            return
        if not self._told:
            if gone := self._long_gone(now_ms):
                pipeline.hdel(PROCESSES, *gone)
            self._told = _told_of(process, self._fingerprint())
        pipeline.hset(PROCESSES, self._name, json.dumps({**self._told, "at": now_ms}))
        pipeline.expire(PROCESSES, PROCESSES_SECONDS)

    def _read(self) -> Iterator[tuple[str, dict[str, Any]]]:
        with translated_errors():
            entries: Any = self._redis.hgetall(PROCESSES)
        for name, text in entries.items():
            with suppress(ValueError, RecursionError):
                told = json.loads(text)
                if isinstance(told, dict) and told.keys() >= {"kind", "host", "pid", "version", "settings", "at"}:
                    yield name, told

    def _long_gone(self, now_ms: int) -> list[str]:
        return [name for name, told in self._read() if abs(now_ms - told["at"]) > FORGOTTEN_PROCESS_MS]


def _ages(beats: Mapping[str, str], now_ms: int) -> Mapping[str, float]:
    # A beat in the future is from before the clock was set back: living processes have beaten since.
    return {process: abs(now_ms - int(beat)) / 1000 for process, beat in beats.items()}


def _told_of(process: str, fingerprint: Fingerprint) -> dict[str, Any]:
    return {
        "kind": process,
        "host": socket.gethostname(),
        "pid": os.getpid(),
        "version": fingerprint.version,
        "settings": dict(fingerprint.settings),
    }


class RedisRelayLease:
    """Fulfils `RelayLease` with a lease of `RELAY_MS`, or of `RELAY_START_MS` for one that must first start."""

    def __init__(self, connection: Redis, scripts: Scripts) -> None:
        """Use `connection` to look and `scripts` to take."""
        self._redis = connection
        self._scripts = scripts

    def lead(self, owner: str) -> bool:
        """Take or keep the lease."""
        return bool(self._scripts.run("hold_lease", [RELAY], [owner, RELAY_MS]))

    def lead_soon(self, owner: str) -> bool:
        """Take the lease for a process that is yet to start."""
        return bool(self._scripts.run("hold_lease", [RELAY], [owner, RELAY_START_MS]))

    def is_held(self) -> bool:
        """Look for the lease."""
        with translated_errors():
            return bool(self._redis.exists(RELAY))

    def step_down(self, owner: str) -> None:
        """Give the lease up."""
        self._scripts.run("release_lease", [RELAY], [owner])


class RedisPollLease:
    """Fulfils `PollLease` with a lease of `POLL_MS` for each account."""

    def __init__(self, scripts: Scripts) -> None:
        """Use `scripts`."""
        self._scripts = scripts

    def take(self, account_sid: str, owner: str) -> bool:
        """Take or keep the lease."""
        return bool(self._scripts.run("hold_lease", [AccountKeys(account_sid).poll], [owner, POLL_MS]))

    def give_back(self, account_sid: str, owner: str) -> None:
        """Give the lease up."""
        self._scripts.run("release_lease", [AccountKeys(account_sid).poll], [owner])
