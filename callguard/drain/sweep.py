"""A sweep: many attempts at once, as many as Twilio will bear."""

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

MOST_THREADS = 100
THROTTLE_PAUSE_SECONDS = 0.1
MOST_THROTTLE_PAUSE_SECONDS = 30.0
IDLE_SECONDS = 0.05


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

    def run(self, pool: ThreadPoolExecutor, may_go_on: Callable[[], bool]) -> None:
        """Sweep; when it returns no attempt is under way."""
        while not self.stopped and may_go_on():
            self._submit(pool)
            if not self.backlog.under_way and not self._has_more():
                break
            self._collect()
        while self.backlog.under_way:
            may_go_on()  # the lease is ours until the last reply is in
            self._collect()

    @property
    def is_capped(self) -> bool:
        """True once no further cancel is allowed. A call whose fate is unknown may have been cancelled."""
        return self.cancelled + self.backlog.unsettled >= self.cap

    def _has_more(self) -> bool:
        return not self.is_capped and (self.backlog.has_waiting() or time.monotonic() < self._paused_until)

    def _submit(self, pool: ThreadPoolExecutor) -> None:
        now = time.monotonic()
        while now >= self._paused_until and len(self.backlog.under_way) < self.limit.allowed:
            call_sid = None if self.is_capped else self.backlog.next(now)
            if call_sid is None:
                return
            pool.submit(self._attempt, call_sid, self.backlog.is_unsure(call_sid))

    def _attempt(self, call_sid: str, unsure: bool) -> None:
        sent_at = time.monotonic()
        result = Result(call_sid, Ending.UNKNOWN)
        try:
            result = self.canceller.attempt(call_sid, unsure=unsure)
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
        if result.ending is Ending.SETTLED:
            self.backlog.settled(result.call_sid)
            self.limit.accepted()
            self.cancelled += result.outcome is Outcome.CANCELLED
        elif result.ending is Ending.THROTTLED:
            self.backlog.put_back(result.call_sid)
            self.limit.refused(sent_at, now)
            self._pause(now, result.retry_after)
        elif result.ending in (Ending.STOPPED, Ending.DENIED):
            self.backlog.put_back(result.call_sid)
            self.stopped = True
            self.denied = self.denied or result.ending is Ending.DENIED
        else:
            self.backlog.retry_later(result.call_sid, now)

    def _pause(self, now: float, retry_after: float | None) -> None:
        pause = THROTTLE_PAUSE_SECONDS * random.uniform(0.9, 1.1)  # noqa: S311  (jitter)
        if retry_after is not None:
            pause = min(MOST_THROTTLE_PAUSE_SECONDS, max(pause, retry_after))
        self._paused_until = max(self._paused_until, now + pause)
