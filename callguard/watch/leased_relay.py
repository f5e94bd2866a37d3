"""Who takes notices to people: one process at a time, whichever lives.

A watcher relays whenever it can. All others only look: where notices wait and nobody relays, they start a process
that does. So a notice of a trip reaches people although the watcher is dead, and who takes callbacks or forks
work-horses neither loads Apprise nor waits for a receiver.
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
"""Of the oldest some may be of a kind that only a newer version knows: those make nobody start."""


class RelayLease(Protocol):
    """The right to relay. Every method may raise `StoreUnavailable`."""

    def lead(self, owner: str) -> bool:
        """Take or keep it; False while another has it."""

    def lead_soon(self, owner: str) -> bool:
        """Take it for a process that is yet to start, and must then keep it."""

    def is_held(self) -> bool:
        """Return whether anybody has it."""

    def step_down(self, owner: str) -> None:
        """Give it up, if `owner` has it."""


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
            StoreUnavailable: the next turn takes it up.
        """
        self.is_leading = self._lease.lead(self._owner)
        if not self.is_leading:
            return
        self._notice_relay.deliver_some()
        if self._notice_relay.has_work:
            self._busy_at = self._monotonic()

    @property
    def idle_seconds(self) -> float:
        """For how long nothing has waited."""
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
    """The outbox, as far as a look goes."""

    def waiting(self, count: int) -> Sequence[tuple[str, Notice]]:
        """Return the oldest notices. May raise `StoreUnavailable`."""


class RelayStarter:
    """Starts a relay where notices wait and nobody has relayed for as long as two looks are apart."""

    def __init__(
        self,
        lease: RelayLease,
        outbox: WaitingNotices,
        start: Callable[[str], Started],
        new_owner: Callable[[], str],
    ) -> None:
        """`start` starts a relay under an owner's name, and may raise `OSError`; each has a name of its own."""
        self._lease = lease
        self._outbox = outbox
        self._start = start
        self._new_owner = new_owner
        self._child: Started | None = None
        self._looks = 0

    def look(self) -> None:
        """Look, and start one if it is time.

        Raises:
            StoreUnavailable: a later look takes it up.
        """
        if self._child is not None and self._child.poll() is None:
            return
        is_missed = not self._lease.is_held() and bool(self._outbox.waiting(LOOKED_AT))
        self._looks = self._looks + 1 if is_missed else 0
        if self._looks < LOOKS_BEFORE_STARTING:
            return
        # It is taken for the child before the child is there: of many that look, one starts one.
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
