"""A lease that is kept while its owner waits: one page of a list may take longer than a lease should last."""

import threading
from collections.abc import Callable
from types import TracebackType

from callguard.ports import StoreUnavailable

KEEP_EVERY_SECONDS = 0.75


class KeptLease:
    """Renews a lease, already taken, from a thread of its own until the block is over or the lease is another's.

    So a lease may be short, and whoever takes over from a killed process need not wait long. `is_lost` says that
    `keep` has returned False. While Redis is away the lease is not lost: nobody else can take it either.
    """

    def __init__(self, keep: Callable[[], bool], every_seconds: float | None = None) -> None:
        """`keep` renews; every `KEEP_EVERY_SECONDS` unless told otherwise."""
        self._keep = keep
        self._every_seconds = KEEP_EVERY_SECONDS if every_seconds is None else every_seconds
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self.is_lost = False

    def __enter__(self) -> "KeptLease":
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._ended.wait(self._every_seconds):
            try:
                if not self._keep():
                    self.is_lost = True
                    return
            except StoreUnavailable:
                continue
