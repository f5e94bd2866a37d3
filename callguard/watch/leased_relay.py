"""Decides which process relays notices: one at a time, any living one.

A watcher relays whenever it can. The other processes only look: if notices wait and nobody relays, they start
a process that does. So a notice of a trip reaches people even if the watcher is dead, and processes that take
callbacks or fork work-horses neither load Apprise nor wait for a receiver.
"""

import logging
import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import Protocol

from callguard.clock import Clock
from callguard.domain.notices import Notice
from callguard.mirror.renewed_lease import RenewedLease
from callguard.watch.needs import Notifier
from callguard.watch.notice_relay import NoticeRelay, Outbox

_log = logging.getLogger(__name__)

KEEP_EVERY_SECONDS = 0.6
IDLE_SECONDS = 60.0
LOOKS_BEFORE_STARTING = 2

LOOKED_AT = 100
"""The number of oldest notices looked at: kinds that only a newer version knows make no process start a relay."""


class RelayLease(Protocol):
    """The right to relay. Every method may raise `StoreUnavailable`."""

    def lead(self, owner: str) -> bool:
        """Take or keep the lease; False while another has it."""

    def lead_soon(self, owner: str) -> bool:
        """Take the lease for a process that is about to start, and must then keep it."""

    def is_held(self) -> bool:
        """Return whether any process has the lease."""

    def step_down(self, owner: str) -> None:
        """Give the lease up, if `owner` has it."""


class LeasedRelay:
    """Relays while it holds the lease."""

    def __init__(
        self,
        owner: str,
        lease: RelayLease,
        outbox: Outbox,
        notifier: Notifier,
        clock: Clock,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """`owner` tells this relay from the others; `monotonic` gives seconds for pauses."""
        self._owner = owner
        self._lease = lease
        self._monotonic = monotonic
        keep = partial(RenewedLease, partial(lease.lead, owner), KEEP_EVERY_SECONDS)
        self._notice_relay = NoticeRelay(outbox, notifier, clock, monotonic, keep)
        self._busy_at = monotonic()
        self.is_leading = False

    def turn(self) -> None:
        """Deliver what is due, unless another process relays.

        Raises:
            StoreUnavailable: the next turn tries again.
        """
        self.is_leading = self._lease.lead(self._owner)
        if not self.is_leading:
            return
        self._notice_relay.deliver_some()
        if self._notice_relay.has_work:
            self._busy_at = self._monotonic()

    @property
    def idle_seconds(self) -> float:
        """Seconds for which nothing has waited."""
        return self._monotonic() - self._busy_at

    def stop(self) -> None:
        """End the turn that is under way after its notice, from another thread."""
        self._notice_relay.stop()

    def step_down(self) -> None:
        """Let another process relay at once.

        Raises:
            StoreUnavailable: the lease ends by itself.
        """
        self._lease.step_down(self._owner)


class Started(Protocol):
    """A process that was started."""

    def poll(self) -> int | None:
        """Return its exit code, None while it runs."""


class WaitingNotices(Protocol):
    """The outbox, as far as the starter of relays needs it."""

    def waiting(self, count: int) -> Sequence[tuple[str, Notice]]:
        """Return the oldest notices. May raise `StoreUnavailable`."""


class RelayStarter:
    """Starts a relay if notices wait and nobody has relayed between two looks."""

    def __init__(
        self,
        lease: RelayLease,
        outbox: WaitingNotices,
        start: Callable[[str], Started],
        new_owner: Callable[[], str],
    ) -> None:
        """Keep the parts. `start` starts a relay under a name from `new_owner`; it may raise `OSError`."""
        self._lease = lease
        self._outbox = outbox
        self._start = start
        self._new_owner = new_owner
        self._child: Started | None = None
        self._looks = 0

    def look(self) -> None:
        """Look, and start a relay if it is time.

        Raises:
            StoreUnavailable: a later look tries again.
        """
        if self._child is not None and self._child.poll() is None:
            return
        is_missed = not self._lease.is_held() and bool(self._outbox.waiting(LOOKED_AT))
        self._looks = self._looks + 1 if is_missed else 0
        if self._looks < LOOKS_BEFORE_STARTING:
            return
        # The lease is taken for the child before it starts, so that only one of many processes starts one.
        owner = self._new_owner()
        if self._lease.lead_soon(owner):
            self._begin(owner)

    def _begin(self, owner: str) -> None:
        _log.warning("notices wait and nobody relays them: starting a relay")
        self._looks = 0
        try:
            self._child = self._start(owner)
        except OSError as error:
            _log.error("a relay could not be started: %s", error)
            self._lease.step_down(owner)
