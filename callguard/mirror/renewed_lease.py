"""A lease that is renewed in the background: one page of a list may take longer than the lease lasts."""

import math
import os
import threading
import time
from collections.abc import Callable
from functools import lru_cache
from types import TracebackType

from callguard.errors import StoreUnavailable

KEEP_EVERY_SECONDS = 0.75


class RenewedLease:
    """Renews a taken lease from another thread until the block ends or another owner has the lease.

    So a lease can be short, and the next owner soon takes over from a killed process. `is_lost`: `keep` has
    returned False. While Redis is away the lease is not lost: nobody else can take it either.
    """

    def __init__(self, keep: Callable[[], bool], every_seconds: float | None = None) -> None:
        """Keep the parts. `keep` renews, every `KEEP_EVERY_SECONDS` if `every_seconds` is None."""
        self._keep = keep
        self.every_seconds = KEEP_EVERY_SECONDS if every_seconds is None else every_seconds
        self._first_renewals = _of_process(os.getpid())
        self._ended = threading.Event()
        self._thread: threading.Thread | None = None
        self.is_lost = False

    def __enter__(self) -> "RenewedLease":
        self._first_renewals.add(self)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._first_renewals.drop(self)
        self._ended.set()
        if self._thread is not None:
            self._thread.join()

    def begin(self) -> None:
        """Renew it for the first time now, and then again and again, in a thread of its own."""
        self._thread = threading.Thread(target=self._run, name="lease", daemon=True)
        self._thread.start()

    def _run(self) -> None:
        while not self._ended.is_set():
            try:
                if not self._keep():
                    self.is_lost = True
                    return
            except StoreUnavailable:
                pass
            self._ended.wait(self.every_seconds)


class _FirstRenewals:
    """Waits for the first renewal of each lease of this process, in one thread.

    Nearly all leases end before it. A lease that does not gets a thread of its own, so that a hanging renewal does
    not delay others.
    """

    def __init__(self) -> None:
        self._due: dict[RenewedLease, float] = {}
        self._changed = threading.Condition()
        self._wakes_at = math.inf
        self._thread: threading.Thread | None = None

    def add(self, lease: RenewedLease) -> None:
        """Begin to renew a lease when that is due, unless it is dropped before."""
        with self._changed:
            self._due[lease] = at = time.monotonic() + lease.every_seconds
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="leases", daemon=True)
                self._thread.start()
            elif at < self._wakes_at:
                self._changed.notify()

    def drop(self, lease: RenewedLease) -> None:
        """Remove a lease. Afterwards its renewal has begun already, or never will."""
        with self._changed:
            self._due.pop(lease, None)

    def _run(self) -> None:
        with self._changed:
            while True:
                now = time.monotonic()
                for lease in [lease for lease, at in self._due.items() if at <= now]:
                    lease.begin()
                    del self._due[lease]
                self._wakes_at = min(self._due.values(), default=math.inf)
                self._changed.wait(None if math.isinf(self._wakes_at) else self._wakes_at - now)


@lru_cache(maxsize=1)
def _of_process(_pid: int) -> _FirstRenewals:
    """Return the instance of this process, as threads do not survive a fork."""
    return _FirstRenewals()
