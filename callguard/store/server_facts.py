"""What the Redis server says of itself, and how far it keeps a write."""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from redis import Redis
from redis.exceptions import RedisError, ResponseError

from callguard.store.connection import translated_errors
from callguard.store.keys import WRITTEN


def server_facts(connection: Redis) -> Mapping[str, str]:
    """Return `server`, `version`, and `maxmemory_policy` and `appendonly` where the server tells them.

    Raises:
        StoreUnavailable: it did not answer.
    """
    with translated_errors():
        told: Any = connection.info("server")
        facts = {
            "server": "Valkey" if "valkey_version" in told else "Redis",
            "version": str(told.get("valkey_version") or told.get("redis_version") or ""),
        }
        # Managed servers do not let everybody read their configuration.
        with suppress(ResponseError):
            config: Any = connection.config_get("maxmemory-policy", "appendonly")
            facts |= {name.replace("-", "_"): value for name, value in config.items()}
    return facts


WAIT_MS = 1_000

# A full server lets a script write that has begun with a write which takes no room.
_WRITE = "redis.call('DEL', KEYS[1]) return redis.call('SET', KEYS[1], '1', 'PX', 60000)"


@dataclass(frozen=True, slots=True)
class Durability:
    """How far everything that was written until now is kept.

    Attributes:
        replicas: how many replicas there are.
        on_replicas: how many of them have it.
        on_disk: whether the server's append-only file has it; None where there is none, or it cannot be asked.
    """

    replicas: int = 0
    on_replicas: int = 0
    on_disk: bool | None = None

    @property
    def is_confirmed(self) -> bool:
        """Whether every replica has it, and any disk: then a failover or a restart loses nothing."""
        return self.on_replicas >= self.replicas and self.on_disk is not False


def await_durability(connection: Redis) -> Durability:
    """Wait until the replicas and the disk have what was written, for `WAIT_MS` each at most.

    Raises:
        StoreUnavailable: the server did not answer.
    """
    with translated_errors():
        replication: Any = connection.info("replication")
        persistence: Any = connection.info("persistence")
        replicas = int(replication.get("connected_slaves", 0))
        # WAIT is about the last write of its own connection, and whatever came before that.
        with connection.client() as one:  # type: ignore[no-untyped-call]
            one.eval(_WRITE, 1, WRITTEN)
            on_replicas = int(one.execute_command("WAIT", replicas, WAIT_MS)) if replicas else 0
            on_disk = _is_on_disk(one) if persistence.get("aof_enabled") else None
    return Durability(replicas, on_replicas, on_disk)


def _is_on_disk(connection: Redis) -> bool | None:
    try:
        local, _ = connection.execute_command("WAITAOF", 1, 0, WAIT_MS)  # type: ignore[no-untyped-call]
    except RedisError:  # Redis before 7.2 does not know it
        return None
    return bool(local)
