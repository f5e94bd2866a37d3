"""The present outages of Twilio's, kept for all processes to see."""

from collections.abc import Mapping
from typing import Any

from redis import Redis

from callguard.domain.notices import Outage
from callguard.store.connection import translated_errors
from callguard.store.keys import AccountKeys
from callguard.store.retention import INCIDENT_MS

_OUTAGES = {outage.value: outage for outage in Outage}


class RedisOutages:
    """Fulfils `Outages`."""

    def __init__(self, connection: Redis) -> None:
        """Use `connection`."""
        self._redis = connection

    def begin(self, account_sid: str, outage: Outage, now_ms: int) -> int:
        """Write its beginning, unless there is one."""
        key = AccountKeys(account_sid).outages
        with translated_errors(), self._redis.pipeline() as pipe:
            pipe.hsetnx(key, outage.value, str(now_ms))
            pipe.pexpire(key, INCIDENT_MS)
            pipe.hget(key, outage.value)
            *_, since = pipe.execute()
        return int(since)

    def end(self, account_sid: str, outage: Outage) -> bool:
        """Forget it."""
        with translated_errors():
            return bool(self._redis.hdel(AccountKeys(account_sid).outages, outage.value))

    def now(self, account_sid: str) -> Mapping[Outage, int]:
        """Read all of an account's."""
        with translated_errors():
            return outages_from(self._redis.hgetall(AccountKeys(account_sid).outages))


def outages_from(held: Any) -> Mapping[Outage, int]:
    """Return what is stored, without kinds that only a newer version knows."""
    return {_OUTAGES[name]: int(since) for name, since in held.items() if name in _OUTAGES}
