"""Relays notices from the outbox to people, and repeats until they are taken."""

import logging
import threading
import time
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from typing import Protocol

from callguard.clock import Clock, SystemClock
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.results import NoticeResult
from callguard.watch.needs import Notifier

_log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 0.5
MAX_LOOKED_AT = 1_000
TURN_SECONDS = 10.0
INITIAL_PAUSE_SECONDS = 2.0
MAX_PAUSE_SECONDS = 300.0
GIVE_UP_MS = 24 * 3_600_000

_QUIET_KINDS = (NoticeKind.ARMED, NoticeKind.CAMPAIGN, NoticeKind.PROGRESS, NoticeKind.DONE)


class Outbox(Protocol):
    """The waiting notices, as the relay needs them. Every method may raise `StoreUnavailable`."""

    def waiting(self, count: int) -> list[tuple[str, Notice]]:
        """Return the oldest notices, each with the id under which it is taken out."""

    def done(self, notice_id: str, result: NoticeResult | None = None) -> None:
        """Take a notice out of the outbox, and count what became of it."""

    def failed(self, notice_id: str, taken_by: Collection[str]) -> None:
        """Count a failed try, and record which receivers have the notice already."""

    def taken_by(self, notice_id: str) -> frozenset[str]:
        """Return which receivers have the notice, while others do not."""


class Lease(Protocol):
    """The right to deliver, as long as it is not lost."""

    is_lost: bool


@dataclass(slots=True)
class _Unleased:
    is_lost: bool = False


@dataclass(slots=True)
class _Tries:
    """How often a notice has been tried, and when (monotonic) it is tried again."""

    failures: int = 0
    due_at: float = 0.0


def _unleased() -> AbstractContextManager[Lease]:
    return nullcontext(_Unleased())


class NoticeRelay:
    """Delivers what waits, oldest first. A notice that fails holds up no other.

    New notices go before failed ones. Once any notice is delivered, all failed ones are due again. The number of
    tries ends with the process. The outbox records which receivers have a notice, so that the next relay does not
    send it to them again.
    """

    def __init__(
        self,
        outbox: Outbox,
        notifier: Notifier,
        clock: Clock | None = None,
        monotonic: Callable[[], float] = time.monotonic,
        keep_lease: Callable[[], AbstractContextManager[Lease]] = _unleased,
    ) -> None:
        """Keep the ports; `monotonic` gives seconds for pauses. `clock` is by default the system's.

        `keep_lease` keeps the right to deliver while a receiver is waited for.
        """
        self._outbox = outbox
        self._notifier = notifier
        self._clock = clock or SystemClock()
        self._monotonic = monotonic
        self._keep_lease = keep_lease
        self._tries: dict[str, _Tries] = {}
        self._look_at = float("-inf")
        self._stopped = threading.Event()

    @property
    def has_work(self) -> bool:
        """Whether anything waited when it was last looked at."""
        return bool(self._tries)

    def stop(self) -> None:
        """End the turn after the notice that is under way."""
        self._stopped.set()

    def deliver_some(self) -> None:
        """Deliver what is due, for `TURN_SECONDS` or one notice more, or until the lease is lost.

        Raises:
            StoreUnavailable: the next turn tries again.
        """
        started = self._monotonic()
        if started < self._look_at:
            return
        self._look_at = started + LOOK_EVERY_SECONDS
        due = self._due(self._outbox.waiting(MAX_LOOKED_AT), started)
        if not due:
            return
        with self._keep_lease() as lease:
            for notice_id, notice in due:
                if self._stopped.is_set() or lease.is_lost or self._monotonic() - started >= TURN_SECONDS:
                    return
                self._deliver(notice_id, notice)

    def _due(self, waiting: list[tuple[str, Notice]], now: float) -> list[tuple[str, Notice]]:
        for notice_id, notice in waiting:
            if notice_id not in self._tries:
                _tell(notice)
        self._tries = {notice_id: self._tries.get(notice_id, _Tries()) for notice_id, _ in waiting}
        due = [(notice_id, notice) for notice_id, notice in waiting if self._tries[notice_id].due_at <= now]
        return sorted(due, key=lambda entry: self._tries[entry[0]].failures > 0)

    def _deliver(self, notice_id: str, notice: Notice) -> None:
        delivery = self._notifier.deliver(notice, self._outbox.taken_by(notice_id))
        if delivery.is_complete:
            # Without receivers only the log has told it.
            self._outbox.done(notice_id, NoticeResult.DELIVERED if delivery.taken_by else None)
            for tries in self._tries.values():
                tries.due_at = 0.0
        elif self._clock.now_ms() - notice.at_ms > GIVE_UP_MS:
            _log.error("account %s: given up telling after 24 h: %s", notice.account_sid, notice.text)
            self._outbox.done(notice_id, NoticeResult.GIVEN_UP)
        else:
            self._pause(self._tries[notice_id])
            self._outbox.failed(notice_id, delivery.taken_by)

    def _pause(self, tries: _Tries) -> None:
        pause = min(MAX_PAUSE_SECONDS, INITIAL_PAUSE_SECONDS * 2.0 ** min(tries.failures, 16))
        tries.failures += 1
        tries.due_at = self._monotonic() + pause


def _tell(notice: Notice) -> None:
    """Write the notice to the log in any case: without receivers, nothing else tells it."""
    level = logging.INFO if notice.kind in _QUIET_KINDS else logging.WARNING
    _log.log(level, "account %s: %s: %s", notice.account_sid, notice.kind.value, notice.text)
