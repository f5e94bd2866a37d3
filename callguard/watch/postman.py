"""The postman: takes notices out of the outbox to people, and comes back until they are taken."""

import logging
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from callguard.clock import SystemClock
from callguard.ports import Clock, Notice, NoticeKind, Notices, Notifier

_log = logging.getLogger(__name__)

LOOK_EVERY_SECONDS = 1.0
MOST_LOOKED_AT = 1_000
TURN_SECONDS = 10.0
FIRST_PAUSE_SECONDS = 2.0
LONGEST_PAUSE_SECONDS = 300.0
GIVE_UP_MS = 24 * 3_600_000

_QUIET_KINDS = (NoticeKind.ARMED, NoticeKind.CAMPAIGN)


@dataclass(slots=True)
class _Tries:
    """How often a notice has been tried, and when (monotonic) it is tried again."""

    failures: int = 0
    due_at: float = 0.0


class Postman:
    """Delivers what waits, oldest first. A notice that fails holds up no other.

    One that was never tried goes before one that has failed; as soon as anything is delivered, all that has failed
    is due again. What it knows of failures it forgets with its process: the outbox alone says what is to be done.
    """

    def __init__(
        self,
        notices: Notices,
        notifier: Notifier,
        clock: Clock | None = None,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Keep the ports; `monotonic` gives seconds for pauses. Without a clock it is the system's."""
        self._notices = notices
        self._notifier = notifier
        self._clock = clock or SystemClock()
        self._monotonic = monotonic
        self._tries: dict[str, _Tries] = {}
        self._look_at = float("-inf")
        self._stopped = threading.Event()

    def stop(self) -> None:
        """End the turn after the notice that is under way."""
        self._stopped.set()

    def deliver_some(self) -> None:
        """Deliver what is due, for `TURN_SECONDS` or one notice more.

        Raises:
            StoreUnavailable: the next turn takes it up.
        """
        started = self._monotonic()
        if started < self._look_at:
            return
        self._look_at = started + LOOK_EVERY_SECONDS
        for notice_id, notice in self._due(self._notices.waiting(MOST_LOOKED_AT), started):
            if self._stopped.is_set() or self._monotonic() - started >= TURN_SECONDS:
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
        if self._notifier.deliver(notice):
            self._notices.done(notice_id)
            for tries in self._tries.values():
                tries.due_at = 0.0
        elif self._clock.now_ms() - notice.at_ms > GIVE_UP_MS:
            _log.error("account %s: given up telling after 24 h: %s", notice.account_sid, notice.text)
            self._notices.done(notice_id)
        else:
            self._pause(self._tries[notice_id])

    def _pause(self, tries: _Tries) -> None:
        pause = min(LONGEST_PAUSE_SECONDS, FIRST_PAUSE_SECONDS * 2.0 ** min(tries.failures, 16))
        tries.failures += 1
        tries.due_at = self._monotonic() + pause


def _tell(notice: Notice) -> None:
    """The log is told whoever else is: where nobody is named, it is the only one."""
    level = logging.INFO if notice.kind in _QUIET_KINDS else logging.WARNING
    _log.log(level, "account %s: %s: %s", notice.account_sid, notice.kind.value, notice.text)
