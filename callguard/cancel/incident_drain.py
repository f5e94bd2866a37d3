"""The drain of a tripped account: cancel its queued calls, oldest first, until Twilio has none left."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from enum import Enum

from callguard.cancel.endings import tell_done
from callguard.cancel.incident_ledger import IncidentLedger
from callguard.cancel.mirror_listing import QueueListing
from callguard.cancel.needs import CallCanceller, CallTracker, DrainQueue, IncidentStore, Notices
from callguard.cancel.sweep import MAX_UNKNOWN, Sweep
from callguard.cancel.time_slice import TimeSlice
from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.domain.concurrency import ConcurrencyLimit
from callguard.domain.incidents import Incident, Outcome
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.policy import Mode
from callguard.errors import StoreUnavailable
from callguard.mirror.reconcile import Reconciler
from callguard.mirror.renewed_lease import RenewedLease
from callguard.mirror.twilio_outages import TwilioOutages

_log = logging.getLogger(__name__)

KEEP_EVERY_SECONDS = 0.5
EMPTY_LISTS_WANTED = 2
STORE_PAUSE_SECONDS = 0.25
OBSERVED_AT_ONCE = 200

OpenCanceller = Callable[[], AbstractAsyncContextManager[CallCanceller]]


class DrainEnd(Enum):
    """Why a run of the drain came to its end."""

    FINISHED = "finished"
    YIELDED = "yielded"
    CAPPED = "capped"
    STOPPED = "stopped"
    NOT_OURS = "not ours"


class IncidentDrain:
    """Drains one account at a time. A lease keeps others away; the generation fences off the past."""

    def __init__(
        self,
        canceller: OpenCanceller,
        tracker: CallTracker,
        incidents: IncidentStore,
        reconciler: Reconciler,
        drains: DrainQueue,
        clock: Clock,
        notices: Notices,
        outages: TwilioOutages,
    ) -> None:
        """Keep the ports; `canceller` opens connections to Twilio on the running event loop."""
        self.canceller = canceller
        self.tracker = tracker
        self.incidents = incidents
        self.reconciler = reconciler
        self.drains = drains
        self.clock = clock
        self.notices = notices
        self.outages = outages

    def run(self, account: Account, generation: int, owner: str) -> DrainEnd:
        """Drain for a turn (`cancel/time_slice.py`); doubled, late or lost runs do no harm.

        Raises:
            StoreUnavailable: the lease runs out by itself and the watcher wakes another run.
        """
        if not self.incidents.start_drain(account.sid, generation, owner, account.policy.mode):
            return DrainEnd.NOT_OURS
        incident = self.incidents.current(account.sid)
        if incident is None:
            return DrainEnd.NOT_OURS
        end = _Run(self, account, incident, owner).to_its_end()
        if end not in (DrainEnd.FINISHED, DrainEnd.CAPPED):
            self.incidents.yield_drain(account.sid, owner)
        self._report(account.sid, end)
        return end

    def _report(self, account_sid: str, end: DrainEnd) -> None:
        """Say in the log how far the drain has come."""
        now = self.incidents.current(account_sid)
        if now is None:
            return
        if end is DrainEnd.FINISHED:
            now_ms = self.clock.now_ms()
            snapshot = self.tracker.snapshot(account_sid, now_ms)
            tell_done(self.notices, now, now_ms, snapshot.left_alone - snapshot.spared)
        counts = ", ".join(f"{n} {outcome.value}" for outcome, n in now.outcomes.items() if n)
        _log.warning(
            "account %s: drain %s: %s; %d still queued, %d spared",
            *(account_sid, end.value, counts or "nothing to do", now.remaining, now.spared),
        )


class _Run:
    """One run of a drain."""

    def __init__(self, drain: IncidentDrain, account: Account, incident: Incident, owner: str) -> None:
        self._drain = drain
        self._account = account
        self._incident = incident
        self._owner = owner
        self._ledger = IncidentLedger(
            account.sid, incident.generation, drain.tracker, drain.incidents, drain.clock
        )
        known = drain.incidents.concurrency(account.sid)
        self._limit = ConcurrencyLimit() if known is None else ConcurrencyLimit(known, is_searching=False)

    def to_its_end(self) -> DrainEnd:
        with RenewedLease(self._keep, KEEP_EVERY_SECONDS) as lease:
            self._turn = TimeSlice(self._account.sid, lease, self._drain.drains)
            return self._observe() if self._is_observing else asyncio.run(self._cancel())

    @property
    def _is_observing(self) -> bool:
        return Mode.OBSERVE in (self._incident.mode, self._account.policy.mode)

    def _keep(self) -> bool:
        """Keep the lease; and the concurrency that Twilio bears, for whoever drains next."""
        sid = self._account.sid
        is_kept = self._drain.incidents.keep_drain(sid, self._incident.generation, self._owner)
        self._drain.incidents.note_concurrency(sid, self._limit.limit)
        return is_kept

    async def _cancel(self) -> DrainEnd:
        if self._incident.count(Outcome.OBSERVED):  # it began in the mode `observe`
            self._drain.incidents.unobserve(self._account.sid, self._incident.generation)
        async with self._drain.canceller() as canceller, asyncio.TaskGroup() as beside:
            beside.create_task(self._sort())
            await self._protect()
            sweep = Sweep(self._account.sid, canceller, self._ledger, self._cap(), self._limit, MAX_UNKNOWN)
            return await self._until_empty(sweep)

    async def _protect(self) -> None:
        """Let nobody be cancelled who is protected only now: the mirror holds no numbers."""
        account, tracker = self._account, self._drain.tracker
        listing = QueueListing(account, self._drain.reconciler, self._turn.may_go_on)
        while self._turn.may_go_on():
            try:
                mirrored_under = tracker.never_cancel_digest(account.sid)
                was_never_read = not mirrored_under and not account.policy.never_cancel
                if was_never_read or mirrored_under == account.never_cancel_digest:
                    return
                _log.warning("account %s: who is protected has changed: reading the queue first", account.sid)
                await listing.is_empty()
            except StoreUnavailable as error:
                _log.warning("account %s: %s; the drain waits", account.sid, error)
                await asyncio.sleep(STORE_PAUSE_SECONDS)

    async def _until_empty(self, sweep: Sweep) -> DrainEnd:
        """Sweep what the mirror holds, then ask Twilio for what it lacks, until that has been nothing twice."""
        listing = QueueListing(self._account, self._drain.reconciler, self._may_read_on)
        empty_lists = 0
        while self._turn.may_go_on():
            try:
                await sweep.run(self._turn.may_go_on)
                if end := self._end_of(sweep):
                    return end
                if sweep.is_unknown:
                    await self._read_after_unknown(sweep)
                    continue
                if sweep.cancelled and self._drain.drains.others_wait(self._account.sid):
                    # Their calls are being dialled. That nothing is left here is asked when it is our turn again.
                    return DrainEnd.YIELDED
                empty_lists = empty_lists + 1 if await listing.is_empty() else 0
                if empty_lists >= EMPTY_LISTS_WANTED:
                    return self._finish(DrainEnd.FINISHED)
            except StoreUnavailable as error:
                _log.warning("account %s: %s; the drain waits", self._account.sid, error)
                await asyncio.sleep(STORE_PAUSE_SECONDS)
        return DrainEnd.STOPPED if self._turn.is_lost else DrainEnd.YIELDED

    async def _read_after_unknown(self, sweep: Sweep) -> None:
        """Twilio does not know what we took for its queue: say so, and let its list show what there is."""
        if not sweep.cancelled:
            self._tell_of_unknown()
        listing = QueueListing(self._account, self._drain.reconciler, self._turn.may_go_on)
        while self._turn.may_go_on() and not await listing.is_empty():
            pass  # it makes a pause between two lists

    def _tell_of_unknown(self) -> None:
        text = (
            f"Twilio knows none of the first {MAX_UNKNOWN} calls that were to be cancelled (404). Cancelling "
            "stops until Twilio's list is read, and goes on with what that shows. Do callbacks and list come from "
            "the same account and region? Look at TWILIO_REGION, twilio_api_url and the account's SID"
        )
        _log.warning("account %s: %s", self._account.sid, text)
        notice = Notice(self._account.sid, NoticeKind.WARNING, text, self._drain.clock.now_ms())
        self._drain.notices.post(notice, once=f"unknown:{self._incident.generation}")

    async def _sort(self) -> None:
        """Tell apart what the incident is not about; the sweep does so itself, but only as far as it has come."""
        if self._incident.scope.senders:
            with suppress(StoreUnavailable):
                await self._ledger.sort()

    def _end_of(self, sweep: Sweep) -> DrainEnd | None:
        """Return why the run ends after this sweep; None if it goes on with Twilio's list."""
        if sweep.denied:
            self._drain.outages.cancel_denied(self._account.sid)
        elif sweep.has_served:
            self._drain.outages.cancel_served(self._account.sid)
        if sweep.stopped:
            return DrainEnd.STOPPED
        if sweep.is_capped and self._has_work():
            return self._finish(DrainEnd.CAPPED)
        return DrainEnd.YIELDED if sweep.backlog.parked and self._has_work() else None

    def _cap(self) -> int:
        cancelled = self._incident.count(Outcome.CANCELLED)
        return self._account.policy.max_cancellations + self._incident.cap_from - cancelled

    def _observe(self) -> DrainEnd:
        """Mark what would have been cancelled, and cancel nothing."""
        seen = 0
        while self._turn.may_go_on():
            calls = self._drain.tracker.head(self._account.sid, OBSERVED_AT_ONCE, seen)
            if not calls:
                return self._finish(DrainEnd.FINISHED)
            inside = self._drain.tracker.in_scope(self._account.sid, calls)
            self._ledger.settle([(sid, Outcome.OBSERVED) for sid in inside])
            seen += len(inside)
        return DrainEnd.STOPPED if self._turn.is_lost else DrainEnd.YIELDED

    def _may_read_on(self) -> bool:
        return self._turn.may_go_on() and not self._has_work()

    def _has_work(self) -> Sequence[str]:
        return self._ledger.head(1)

    def _finish(self, end: DrainEnd) -> DrainEnd:
        now_ms = self._drain.clock.now_ms()
        finished = self._drain.incidents.finish_drain(
            self._account.sid, self._incident.generation, self._owner, now_ms, capped=end is DrainEnd.CAPPED
        )
        # If not, calls came in between the last list and now, or a person took over: the watcher sees to it.
        return end if finished else DrainEnd.YIELDED
