"""The lease of a drain, kept while the drain is busy elsewhere."""

import threading
from functools import partial
from types import TracebackType

from callguard.ports import IncidentBook, StoreUnavailable

KEEP_EVERY_SECONDS = 1.0


class KeptLease:
    """Renews a drain's lease from a thread of its own: one page of a list may take longer than the lease.

    `is_lost` says that the guard was paused, the incident closed, or that another drain has taken over. While
    Redis is away the lease is not lost: without Redis nobody else can take it, nor cancel anything.
    """

    def __init__(self, incidents: IncidentBook, account_sid: str, generation: int, owner: str) -> None:
        """Keep the lease that `start_drain` has taken."""
        self._keep = partial(incidents.keep_drain, account_sid, generation, owner)
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
        while not self._ended.wait(KEEP_EVERY_SECONDS):
            try:
                if not self._keep():
                    self.is_lost = True
                    return
            except StoreUnavailable:
                continue
