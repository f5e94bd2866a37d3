"""How often the API, or `/metrics`, has let somebody not in."""

from collections.abc import Mapping
from typing import Any

from redis import Redis

from callguard.store.connection import translated_errors
from callguard.store.keys import API_REFUSED
from callguard.store.retention import HOUR_MS

KEPT_MS = 30 * 24 * HOUR_MS


class RedisApiRefusals:
    """Fulfils `ApiRefusals`. Both methods may raise `StoreUnavailable`."""

    def __init__(self, connection: Redis) -> None:
        """Use the connection."""
        self._redis = connection

    def add(self, counts: Mapping[str, int]) -> None:
        """Count more of them, by reason."""
        with translated_errors(), self._redis.pipeline() as pipe:
            for reason, count in counts.items():
                pipe.hincrby(API_REFUSED, reason, count)
            pipe.pexpire(API_REFUSED, KEPT_MS)
            pipe.execute()

    def totals(self) -> Mapping[str, int]:
        """Return how many there were, by reason."""
        with translated_errors():
            held: Any = self._redis.hgetall(API_REFUSED)
        return {reason: int(count) for reason, count in held.items()}
