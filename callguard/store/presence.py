"""Who is alive, and which watcher leads."""

from collections.abc import Mapping
from typing import Any

from redis import Redis

from callguard.store.connection import translated_errors
from callguard.store.keys import HEARTBEATS, RELAY, WATCH, AccountKeys
from callguard.store.retention import LEAD_MS, POLL_MS, RELAY_MS, RELAY_START_MS
from callguard.store.scripts import Scripts


class RedisHeartbeats:
    """Fulfils `Heartbeats`."""

    def __init__(self, connection: Redis) -> None:
        """Use `connection`."""
        self._redis = connection

    def beat(self, process: str, now_ms: int) -> None:
        """Write the beat."""
        with translated_errors():
            self._redis.hset(HEARTBEATS, process, str(now_ms))

    def ages(self, now_ms: int) -> Mapping[str, float]:
        """Read all beats."""
        with translated_errors():
            beats: Any = self._redis.hgetall(HEARTBEATS)
        return {process: max(0.0, (now_ms - int(beat)) / 1000) for process, beat in beats.items()}


class RedisLeadership:
    """Fulfils `Leadership` with a lease of `LEAD_MS`."""

    def __init__(self, scripts: Scripts) -> None:
        """Use `scripts`."""
        self._scripts = scripts

    def lead(self, owner: str) -> bool:
        """Take or keep the lease."""
        return bool(self._scripts.run("hold_lease", [WATCH], [owner, LEAD_MS]))

    def step_down(self, owner: str) -> None:
        """Give the lease up."""
        self._scripts.run("release_lease", [WATCH], [owner])


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
