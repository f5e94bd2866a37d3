"""A worker's time slice on one account."""

import time
from collections.abc import Callable

from callguard.cancel.needs import DrainQueue
from callguard.mirror.renewed_lease import RenewedLease

MAX_SECONDS = 30.0
"""The longest run of a job, in seconds. Longer drains yield and are woken again: no job exceeds a minute."""

FAIR_SECONDS = 2.0
ASK_SECONDS = 0.5


class TimeSlice:
    """Ends after `MAX_SECONDS`, with the lease, or after `FAIR_SECONDS` if other accounts wait for a worker."""

    def __init__(
        self,
        account_sid: str,
        lease: RenewedLease,
        drains: DrainQueue,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin. `monotonic` gives seconds."""
        self._account_sid = account_sid
        self._lease = lease
        self._drains = drains
        self._monotonic = monotonic
        self._began = monotonic()
        self._ask_at = self._began + FAIR_SECONDS
        self._is_over = False

    def may_go_on(self) -> bool:
        """Return whether the turn goes on; cheap enough to be asked many times a second."""
        now = self._monotonic()
        if now >= self._ask_at:
            self._ask_at = now + ASK_SECONDS
            self._is_over = self._is_over or self._drains.others_wait(self._account_sid)
        return not self._is_over and not self.is_lost and now - self._began < MAX_SECONDS

    @property
    def is_lost(self) -> bool:
        """Whether the lease is lost: another worker has the account, or a person has stopped the guard."""
        return self._lease.is_lost
