"""Remembering what people decide, in a process that does not look at the accounts itself."""

import threading
from collections.abc import Callable, Collection
from contextlib import suppress
from typing import Protocol

from callguard.errors import StoreUnavailable

EVERY_SECONDS = 1.0


class Follower(Protocol):
    """What remembers."""

    def follow(self, account_sids: Collection[str]) -> None:
        """Remember what has been decided since; make good nothing. May raise `StoreUnavailable`."""


def follow_decisions(
    follower: Follower, account_sids: Collection[str], wait: Callable[[float], object] | None = None
) -> None:
    """Follow in a thread of its own, as long as the process lives: so its memory may outlive an emptied Redis."""
    wait = wait or threading.Event().wait

    def run() -> None:
        while True:
            with suppress(StoreUnavailable):
                follower.follow(account_sids)
            if wait(EVERY_SECONDS):
                return

    threading.Thread(target=run, name="decisions", daemon=True).start()
