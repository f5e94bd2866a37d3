"""The drain of a tripped account: cancel its queued calls, oldest first, until Twilio has none left."""

import logging
import time
from concurrent.futures import ThreadPoolExecutor
from enum import Enum
from functools import partial

from callguard.config.accounts import Account
from callguard.domain.incidents import Incident, Outcome
from callguard.domain.policy import Mode
from callguard.drain.attempt import Canceller
from callguard.drain.backlog import Backlog
from callguard.drain.sweep import MOST_THREADS, Sweep
from callguard.guard.kept_lease import KeptLease
from callguard.guard.reconcile import NOT_TAKEN, QueueReading, Reconciler
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
KEEP_EVERY_SECONDS = 1.0
EMPTY_LISTS_WANTED = 2
PAUSE_BETWEEN_LISTS_SECONDS = 0.5
PAUSE_FOR_TURN_SECONDS = 0.05
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
        self.telephony = telephony
        self.tracker = tracker
        self.incidents = incidents
        self.reconciler = reconciler
        self.clock = clock

    def run(self, account: Account, generation: int, owner: str) -> DrainEnd:
        """Drain for up to `SLICE_SECONDS`; doubled, late or lost runs do no harm.

        Raises:
            StoreUnavailable: the lease runs out by itself and the watcher wakes another run.
        """
        if not self.incidents.start_drain(account.sid, generation, owner, account.policy.mode):
            return DrainEnd.NOT_OURS
        incident = self.incidents.current(account.sid)
        if incident is None:
            return DrainEnd.NOT_OURS
        keep = partial(self.incidents.keep_drain, account.sid, generation, owner)
        with KeptLease(keep, KEEP_EVERY_SECONDS) as lease:
            run = _Run(self, account, incident, owner, lease)
            end = run.observe() if incident.mode is Mode.OBSERVE else run.cancel()
        if end not in (DrainEnd.FINISHED, DrainEnd.CAPPED):
            self.incidents.yield_drain(account.sid, owner)
        run.report(end)
        return end


class _Run:
    """One run of a drain, with its deadline and its sweep."""

    def __init__(self, drain: Drain, account: Account, incident: Incident, owner: str, lease: KeptLease) -> None:
        self._sid = account.sid
        self._account = account
        self._generation = incident.generation
        self._owner = owner
        self._lease = lease
        self._drain = drain
        self._deadline = time.monotonic() + SLICE_SECONDS
        self._listed_at = float("-inf")
        canceller = Canceller(self._sid, self._generation, drain.telephony, drain.incidents, drain.clock)
        self._sweep = Sweep(
            canceller,
            Backlog(lambda count: drain.tracker.head(account.sid, count)),
            cap=account.policy.max_cancellations - incident.count(Outcome.CANCELLED),
        )

    def cancel(self) -> DrainEnd:
        """Sweep, then ask Twilio, until its list has been empty twice."""
        empty_lists = 0
        with ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="cancel") as pool:
            while self._may_go_on():
                self._sweep.run(pool, self._may_go_on)
                if self._sweep.is_capped and self._has_work():
                    return self._finish(DrainEnd.CAPPED)
                if self._sweep.denied:
                    _log.error("account %s: Twilio refuses our credentials: check its auth token", self._sid)
                if self._sweep.stopped or self._lease.is_lost:
                    break
                empty_lists = empty_lists + 1 if self._list_is_empty() else 0
                if empty_lists >= EMPTY_LISTS_WANTED:
                    return self._finish(DrainEnd.FINISHED)
                if self._sweep.backlog.parked and self._has_work():
                    return DrainEnd.YIELDED
        return DrainEnd.STOPPED if self._sweep.stopped or self._lease.is_lost else DrainEnd.YIELDED

    def observe(self) -> DrainEnd:
        """Mark what would have been cancelled, and cancel nothing."""
        for call_sid in self._drain.tracker.head(self._sid, MOST_OBSERVED):
            now_ms = self._drain.clock.now_ms()
            self._drain.incidents.settle(self._sid, self._generation, call_sid, Outcome.OBSERVED, now_ms)
            if not self._may_go_on():
                return DrainEnd.STOPPED if self._lease.is_lost else DrainEnd.YIELDED
        return self._finish(DrainEnd.FINISHED)

    def report(self, end: DrainEnd) -> None:
        """Say in the log how far the drain has come."""
        now = self._drain.incidents.current(self._sid)
        if now is None:
            return
        counts = ", ".join(f"{n} {outcome.value}" for outcome, n in now.outcomes.items() if n)
        _log.warning(
            "account %s: drain %s: %s; %d still queued, %d spared",
            *(self._sid, end.value, counts or "nothing to do", now.remaining, now.spared),
        )

    def _may_go_on(self) -> bool:
        return not self._lease.is_lost and time.monotonic() < self._deadline

    def _has_work(self) -> bool:
        return bool(self._drain.tracker.head(self._sid, 1))

    def _list_is_empty(self) -> bool:
        """Read Twilio's list into the mirror, up to the first calls to cancel; True if there are none.

        A script that goes on creating calls must not make us list in a hot loop, hence the pause.
        """
        time.sleep(max(0.0, self._listed_at + PAUSE_BETWEEN_LISTS_SECONDS - time.monotonic()))
        self._listed_at = time.monotonic()
        try:
            reading = self._read_list()
        except (TwilioUnavailable, TwilioThrottled, TwilioRefused) as error:
            _log.info("account %s: the list will be read again: %s", self._sid, error)
            return False
        return reading.complete and not self._has_work()

    def _read_list(self) -> QueueReading:
        """Read the list as soon as the watcher does not. What it reads meanwhile is swept first."""
        while self._may_read_on():
            reading = self._drain.reconciler.read_queue(self._account, retire=True, go_on=self._may_read_on)
            if reading.taken:
                return reading
            time.sleep(PAUSE_FOR_TURN_SECONDS)
        return NOT_TAKEN

    def _may_read_on(self) -> bool:
        return self._may_go_on() and not self._has_work()

    def _finish(self, end: DrainEnd) -> DrainEnd:
        now_ms = self._drain.clock.now_ms()
        finished = self._drain.incidents.finish_drain(
            self._sid, self._generation, self._owner, now_ms, capped=end is DrainEnd.CAPPED
        )
        # If not, calls came in between the last list and now, or a person took over: the watcher sees to it.
        return end if finished else DrainEnd.YIELDED
