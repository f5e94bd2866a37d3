"""Tells the guard of created calls, in the background: never blocks and never fails the create."""

import threading
import time
from collections import deque

from callguard.client.creation import Report
from callguard.client.guard_api import GuardApi, GuardRefused, GuardSilent
from callguard.client.log import Seldom, log

_MAX_WAITING = 10_000
_BATCH = 100
_INITIAL_PAUSE, _MAX_PAUSE, _FLUSH_PAUSE = 0.5, 10.0, 0.2
_IDLE_SECONDS = 5.0
_MADE = " made"  # no field of Twilio's: seconds of this process' monotonic clock
_MAX_AGE_MS = 6 * 3_600_000


def _aged(report: Report) -> Report:
    """Return a report with the age of its call: the report may have waited for the guard."""
    told = {name: value for name, value in report.items() if name != _MADE}
    return {**told, "age_ms": min(_MAX_AGE_MS, max(0, round((time.monotonic() - report[_MADE]) * 1000)))}


class Reporter:
    """Sends reports in batches that fill while a post is under way; the oldest are dropped when too many wait."""

    def __init__(self, api: GuardApi) -> None:
        self._api = api
        self._dropping, self._refusing = Seldom(), Seldom()
        self.start_afresh()

    def start_afresh(self) -> None:
        """Forget thread and reports that a fork copied: the parent sends its own."""
        self._changed = threading.Condition()
        self._waiting: deque[Report] = deque()
        self._in_hand: list[Report] = []
        self._thread: threading.Thread | None = None
        self._dropped = 0
        self._refused = 0
        self._flushing = 0
        self._is_stopped = False

    def add(self, report: Report) -> None:
        """Take a report for sending."""
        with self._changed:
            if len(self._waiting) >= _MAX_WAITING:
                self._waiting.popleft()
                self._dropped += 1
            self._waiting.append({**report, _MADE: time.monotonic()})
            if self._thread is None or not self._thread.is_alive():
                self._thread = threading.Thread(target=self._run, name="callguard-reports", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def flush(self, seconds: float) -> None:
        """Wait until every report was answered by the guard, at most `seconds`; hurries the retries meanwhile."""
        with self._changed:
            self._flushing += 1
            self._changed.notify_all()
            self._changed.wait_for(self._is_done, seconds)
            self._flushing -= 1

    def stop(self) -> None:
        """End the sending; a warning says how many reports are lost with it."""
        with self._changed:
            self._is_stopped = True
            self._changed.notify_all()
            lost = len(self._waiting) + len(self._in_hand) + self._dropped
        if lost:
            log.warning("%d reports of created calls never reached the guard.", lost)

    def _is_done(self) -> bool:
        return self._is_stopped or not (self._waiting or self._in_hand)

    def _run(self) -> None:
        while self._take_batch():
            pause = 0.0
            while not self._deliver() and not self._is_stopped:
                pause = min(2 * pause or _INITIAL_PAUSE, _MAX_PAUSE)
                self._rest(pause)

    def _take_batch(self) -> bool:
        """Take the next batch in hand; False, and no thread any more, when idle for some seconds or stopped."""
        with self._changed:
            self._changed.wait_for(lambda: self._waiting or self._is_stopped, _IDLE_SECONDS)
            if not self._waiting or self._is_stopped:
                self._thread = None
                return False
            self._in_hand = [self._waiting.popleft() for _ in range(min(len(self._waiting), _BATCH))]
            return True

    def _deliver(self) -> bool:
        """Send the batch in hand; False if it is worth another try."""
        self._warn_of_drops()
        try:
            self._api.report([_aged(report) for report in self._in_hand])
        except GuardSilent:
            return False
        except GuardRefused as refused:
            good = [report for place, report in enumerate(self._in_hand) if place not in refused.wrong]
            if 0 < len(good) < len(self._in_hand):
                # The guard takes a batch whole or not at all: drop the wrong reports and send the others again.
                self._warn_of_refusal(str(refused), len(self._in_hand) - len(good))
                self._in_hand = good
                return self._deliver()
            self._warn_of_refusal(str(refused), len(self._in_hand))
        except Exception as error:  # such as a value that is no JSON: one odd batch must not end the reporting
            self._warn_of_refusal(type(error).__name__, len(self._in_hand))
        with self._changed:
            self._in_hand = []
            self._changed.notify_all()
        return True

    def _rest(self, seconds: float) -> None:
        """Wait before the next try, shorter when somebody waits for the reports to leave."""
        ends = time.monotonic() + seconds
        with self._changed:
            self._changed.wait_for(lambda: self._flushing or self._is_stopped, seconds)
            if self._flushing and not self._is_stopped:
                self._changed.wait(max(0.0, min(_FLUSH_PAUSE, ends - time.monotonic())))

    def _warn_of_drops(self) -> None:
        if self._dropped and self._dropping.due():
            with self._changed:
                dropped, self._dropped = self._dropped, 0
            log.warning(
                "%d reports of created calls were dropped: the guard takes none and too many wait.", dropped
            )

    def _warn_of_refusal(self, message: str, reports: int) -> None:
        self._refused += reports
        if self._refusing.due():
            log.warning("The guard refused %d reports of created calls: %s", self._refused, message)
            self._refused = 0
