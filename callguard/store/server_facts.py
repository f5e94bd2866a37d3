"""What the Redis server says of itself."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Any

from redis import Redis
from redis.exceptions import ResponseError

from callguard.store.connection import translated_errors


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
