"""A sweep: many attempts at once, as many as Twilio will bear."""

import logging
import random
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from queue import Empty, SimpleQueue

from callguard.domain.concurrency import ConcurrencyLimit
from callguard.domain.incidents import Outcome
from callguard.drain.attempt import Canceller, Ending, Result
from callguard.drain.backlog import Backlog
from callguard.ports import StoreUnavailable

_log = logging.getLogger(__name__)

MOST_THREADS = 100
PAUSE_SECONDS = 0.1
MOST_PAUSE_SECONDS = 30.0
IDLE_SECONDS = 0.05

# So many failures in a row are no bad luck: Twilio is away, and asking it faster does not bring it back.
OUTAGE = 20
MOST_OUTAGE_PAUSE_SECONDS = 5.0


@dataclass(slots=True)
class Sweep:
    """Runs attempts until the backlog is empty, `may_go_on` says no, or `cap` calls are cancelled."""

    canceller: Canceller
    backlog: Backlog
    cap: int
    limit: ConcurrencyLimit = field(default_factory=lambda: ConcurrencyLimit(ceiling=MOST_THREADS))
    cancelled: int = 0
    stopped: bool = False
    denied: bool = False
    _results: SimpleQueue[tuple[Result, float]] = field(default_factory=SimpleQueue)
    _paused_until: float = 0.0
    _answered: bool = False
    _failures: int = 0

    def run(self, pool: ThreadPoolExecutor, may_go_on: Callable[[], bool]) -> None:
        """Sweep; when it returns no attempt is under way."""
        while not self.stopped and may_go_on():
            self._submit(pool)
            if not self.backlog.under_way and not self._has_more():
                break
            self._collect()
        while self.backlog.under_way:
            self._collect()

    @property
    def is_capped(self) -> bool:
        """True once as many calls are cancelled as may be."""
        return self.cancelled >= self.cap

    def _has_more(self) -> bool:
        return self.backlog.has_waiting or time.monotonic() < self._paused_until

    def _submit(self, pool: ThreadPoolExecutor) -> None:
        now = time.monotonic()
        # The first request goes alone: if Twilio refuses our credentials, one is enough to know.
        allowed = self.limit.allowed if self._answered else 1
        while now >= self._paused_until and len(self.backlog.under_way) < allowed:
            # A call whose fate is unknown may have been cancelled, and counts for the cap until that is known.
            room = self.cancelled + self.backlog.unsettled < self.cap
            call_sid = self.backlog.next(now, fresh=room)
            if call_sid is None:
                return
            pool.submit(self._attempt, call_sid, self.backlog.is_unsure(call_sid))

    def _attempt(self, call_sid: str, unsure: bool) -> None:
        sent_at = time.monotonic()
        result = Result(call_sid, Ending.UNKNOWN)
        try:
            result = self.canceller.attempt(call_sid, unsure=unsure)
        except Exception:
            _log.exception("an attempt failed")
        finally:
            self._results.put((result, sent_at))

    def _collect(self) -> None:
        """Wait a little for results and take in all that are there."""
        try:
            self._take_in(*self._results.get(timeout=IDLE_SECONDS))
            while True:
                self._take_in(*self._results.get_nowait())
        except Empty:
            return

    def _take_in(self, result: Result, sent_at: float) -> None:
        now = time.monotonic()
        self._answered = self._answered or result.ending is not Ending.UNKNOWN
        match result.ending:
            case Ending.SETTLED:
                self.backlog.settled(result.call_sid)
                self.limit.accepted()
                self.cancelled += result.outcome is Outcome.CANCELLED
                self._failures = 0
            case Ending.THROTTLED:
                self.backlog.put_back(result.call_sid)
                self.limit.refused(sent_at, now)
                self._pause(now, result.retry_after)
            case Ending.STOPPED | Ending.DENIED:
                self.backlog.put_back(result.call_sid)
                self.stopped = True
                self.denied = self.denied or result.ending is Ending.DENIED
            case Ending.REFUSED:
                if not self.backlog.retry_later(result.call_sid, now):
                    self._give_up(result.call_sid)
            case Ending.UNKNOWN:
                self.backlog.retry_later(result.call_sid, now)
                self._note_failure(sent_at, now)

    def _give_up(self, call_sid: str) -> None:
        try:
            self.canceller.give_up(call_sid)
        except StoreUnavailable:
            return  # it stays parked
        self.backlog.parked.discard(call_sid)
        self.backlog.settled(call_sid)

    def _note_failure(self, sent_at: float, now: float) -> None:
        self._failures += 1
        if self._failures < OUTAGE:
            return
        self.limit.refused(sent_at, now)
        self._pause(now, min(MOST_OUTAGE_PAUSE_SECONDS, 0.25 * self._failures / OUTAGE))

    def _pause(self, now: float, wanted: float | None) -> None:
        pause = PAUSE_SECONDS * random.uniform(0.9, 1.1)  # noqa: S311  (jitter)
        if wanted is not None:
            pause = min(MOST_PAUSE_SECONDS, max(pause, wanted))
        self._paused_until = max(self._paused_until, now + pause)
