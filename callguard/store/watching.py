"""Which watcher looks after which account, and which accounts have news for it."""

import time
from collections.abc import Callable, Collection, Sequence
from typing import Any

from redis import Redis

from callguard.domain.processes import HeldAccounts
from callguard.store.connection import translated_errors
from callguard.store.keys import NEWS, WATCHED, WATCHERS, WATCHERS_SHORT
from callguard.store.retention import NEWS_MS, WATCH_KEYS_MS, WATCH_MS
from callguard.store.scripts import Scripts

TOLD_SECONDS = 0.5
"""The least seconds between two times that one process tells of one account."""


class RedisAccountLeases:
    """Fulfils `AccountLeases`: a lease of `WATCH_MS` for each watcher, on which its accounts depend."""

    def __init__(self, connection: Redis, scripts: Scripts) -> None:
        """Use `scripts` to hold and `connection` to give up."""
        self._redis = connection
        self._scripts = scripts

    def hold(self, owner: str, accounts: Sequence[str], give_back: Collection[str] = ()) -> HeldAccounts:
        """Keep and take."""
        surplus, *held = self._scripts.run(
            "hold_accounts",
            [WATCHERS, WATCHED, WATCHERS_SHORT],
            [owner, WATCH_MS, WATCH_KEYS_MS, len(give_back), *give_back, *accounts],
        )
        return HeldAccounts(frozenset(held), surplus)

    def give_up(self, owner: str) -> None:
        """End the lease."""
        with translated_errors():
            self._redis.zrem(WATCHERS, owner)


class RedisNews:
    """Fulfils `News`; scores are by the server's clock, so that no two clocks are compared."""

    def __init__(
        self, connection: Redis, scripts: Scripts, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        """Use `scripts` to tell and `connection` to read; `monotonic` gives seconds."""
        self._redis = connection
        self._scripts = scripts
        self._monotonic = monotonic
        self._told: dict[str, float] = {}
        self._last = "-inf"

    def tell(self, account_sid: str) -> None:
        """Tell of an account, unless this process has just done so."""
        now = self._monotonic()
        if now - self._told.get(account_sid, float("-inf")) < TOLD_SECONDS:
            return
        self._told[account_sid] = now
        self._scripts.run("tell_news", [NEWS], [account_sid, NEWS_MS])

    def fresh(self) -> list[str]:
        """Return the accounts of which there was news since the last call."""
        with translated_errors():
            news: Any = self._redis.zrange(
                NEWS, f"({self._last}" if self._last != "-inf" else "-inf", "+inf", byscore=True, withscores=True
            )
        if news:
            self._last = f"{news[-1][1]:.0f}"
        return [account_sid for account_sid, _ in news]
