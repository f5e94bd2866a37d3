"""The drain of a tripped account: cancel its queued calls, oldest first, until Twilio has none left."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from enum import Enum

from callguard.config.accounts import Account
from callguard.domain.incidents import Incident, Outcome
from callguard.domain.policy import Mode
from callguard.drain.attempt import Canceller
from callguard.drain.backlog import Backlog
from callguard.drain.sweep import MOST_THREADS, Sweep
from callguard.guard.reconcile import Reconciler
from callguard.ports import (
    CallTracker,
    Clock,
    IncidentBook,
    Telephony,
    TwilioRefused,
    TwilioThrottled,
    TwilioUnavailable,
)

_log = logging.getLogger(__name__)

# A job's run; longer drains yield and are woken again, so that accounts share the workers.
SLICE_SECONDS = 40.0
KEEP_LEASE_EVERY_SECONDS = 1.0
EMPTY_LISTS_WANTED = 2
PAUSE_BETWEEN_LISTS_SECONDS = 0.5
MOST_OBSERVED = 1_000_000


class DrainEnd(Enum):
    """Why a run of the drain came to its end."""

    FINISHED = "finished"
    YIELDED = "yielded"
    CAPPED = "capped"
    STOPPED = "stopped"
    NOT_OURS = "not ours"


class Drain:
    """Drains one account at a time. A lease keeps others away; the generation fences off the past."""

    def __init__(
        self,
        telephony: Telephony,
        tracker: CallTracker,
        incidents: IncidentBook,
        reconciler: Reconciler,
        clock: Clock,
    ) -> None:
        """Keep the ports."""
        self._telephony = telephony
        self._tracker = tracker
        self._incidents = incidents
        self._reconciler = reconciler
        self._clock = clock

    def run(self, account: Account, generation: int, owner: str) -> DrainEnd:
        """Drain for up to `SLICE_SECONDS`; doubled, late or lost runs do no harm.

        Raises:
            StoreUnavailable: the lease runs out by itself and the watcher wakes another run.
        """
        if not self._incidents.start_drain(account.sid, generation, owner, self._clock.now_ms()):
            return DrainEnd.NOT_OURS
        incident = self._incidents.current(account.sid)
        if incident is None:
            return DrainEnd.NOT_OURS
        run = _Run(self, account, generation, owner, incident)
        end = run.observe() if incident.mode is Mode.OBSERVE else run.cancel()
        if end not in (DrainEnd.FINISHED, DrainEnd.CAPPED):
            self._incidents.yield_drain(account.sid, owner, run.failed)
        run.report(end)
        return end


class _Run:
    """One run of a drain: its deadline, its lease, its sweeps."""

    def __init__(self, drain: Drain, account: Account, generation: int, owner: str, found: Incident) -> None:
        self._account = account
        self._generation = generation
        self._owner = owner
        self._incident = found
        self._tracker = drain._tracker
        self._incidents = drain._incidents
        self._reconciler = drain._reconciler
        self._clock = drain._clock
        self._deadline = time.monotonic() + SLICE_SECONDS
        self._kept_at = time.monotonic()
        self._lost = False
        canceller = Canceller(account.sid, generation, drain._telephony, drain._incidents, drain._clock)
        self._sweep = Sweep(
            canceller,
            Backlog(lambda count: drain._tracker.head(account.sid, count)),
            cap=account.policy.max_cancellations - found.count(Outcome.CANCELLED),
        )

    @property
    def failed(self) -> int:
        """Calls that this run gave up on."""
        return len(self._sweep.backlog.parked)

    def cancel(self) -> DrainEnd:
        """Sweep, then ask Twilio, until its list has been empty twice."""
        empty_lists = 0
        with ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="cancel") as pool:
            while self._may_go_on():
                self._sweep.run(pool, self._may_go_on)
                if self._sweep.is_capped and self._tracker.head(self._account.sid, 1):
                    return self._finish(DrainEnd.CAPPED)
                if self._sweep.denied:
                    _log.error(
                        "account %s: Twilio refuses our credentials; check its auth token", self._account.sid
                    )
                if self._sweep.stopped or self._lost:
                    break
                if self.failed:
                    return DrainEnd.YIELDED
                empty_lists = empty_lists + 1 if self._list_is_empty() else 0
                if empty_lists >= EMPTY_LISTS_WANTED:
                    return self._finish(DrainEnd.FINISHED)
                if empty_lists:
                    time.sleep(PAUSE_BETWEEN_LISTS_SECONDS)
        return DrainEnd.STOPPED if self._sweep.stopped or self._lost else DrainEnd.YIELDED

    def observe(self) -> DrainEnd:
        """Mark what would have been cancelled, and cancel nothing."""
        for call_sid in self._tracker.head(self._account.sid, MOST_OBSERVED):
            self._incidents.settle(
                self._account.sid, self._generation, call_sid, Outcome.OBSERVED, self._clock.now_ms()
            )
            if not self._may_go_on():
                return DrainEnd.STOPPED if self._lost else DrainEnd.YIELDED
        return self._finish(DrainEnd.FINISHED)

    def report(self, end: DrainEnd) -> None:
        """Say in the log how far the drain has come."""
        now = self._incidents.current(self._account.sid)
        if now is None:
            return
        counts = ", ".join(f"{n} {outcome.value}" for outcome, n in now.outcomes.items())
        _log.warning(
            "account %s: drain %s: %s; %d still queued, %d spared",
            *(self._account.sid, end.value, counts or "nothing to do", now.remaining, now.spared),
        )

    def _may_go_on(self) -> bool:
        now = time.monotonic()
        if now - self._kept_at >= KEEP_LEASE_EVERY_SECONDS and not self._lost:
            self._lost = not self._incidents.keep_drain(self._account.sid, self._generation, self._owner)
            self._kept_at = now
        return not self._lost and now < self._deadline

    def _list_is_empty(self) -> bool:
        """Read Twilio's list into the mirror, up to the first calls to cancel; True if there are none."""
        try:
            reading = self._reconciler.read_queue(self._account, retire=True, go_on=self._may_read_on)
        except (TwilioUnavailable, TwilioThrottled, TwilioRefused) as error:
            _log.info("account %s: the list will be read again: %s", self._account.sid, error)
            time.sleep(PAUSE_BETWEEN_LISTS_SECONDS)
            return False
        return reading.complete and not self._tracker.head(self._account.sid, 1)

    def _may_read_on(self) -> bool:
        return self._may_go_on() and not self._tracker.head(self._account.sid, 1)

    def _finish(self, end: DrainEnd) -> DrainEnd:
        finished = self._incidents.finish_drain(
            self._account.sid,
            self._generation,
            self._owner,
            self._clock.now_ms(),
            capped=end is DrainEnd.CAPPED,
        )
        if not finished:
            # Calls came in between the last list and now, or a person took over: the watcher sees to it.
            return DrainEnd.YIELDED
        return end
