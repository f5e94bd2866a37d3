"""The drain of a tripped account: cancel its queued calls, oldest first, until Twilio has none left."""

import asyncio
import logging
from collections.abc import Callable, Sequence
from contextlib import AbstractAsyncContextManager, suppress
from dataclasses import dataclass
from enum import Enum
from functools import partial

from callguard.cancel.endings import tell_done
from callguard.cancel.incident_ledger import IncidentLedger
from callguard.cancel.mirror_listing import QueueListing
from callguard.cancel.needs import CallCanceller, CallTracker, DrainQueue, IncidentStore, Notices
from callguard.cancel.sweep import MAX_UNKNOWN, Sweep
from callguard.cancel.time_slice import TimeSlice
from callguard.cancel.until_empty import Listed, until_empty
from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.domain.concurrency import ConcurrencyLimit
from callguard.domain.incidents import Incident
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.policy import Mode
from callguard.domain.tally import Outcome
from callguard.errors import StoreUnavailable
from callguard.mirror.reconcile import Reconciler
from callguard.mirror.renewed_lease import RenewedLease
from callguard.mirror.twilio_outages import TwilioOutages

_log = logging.getLogger(__name__)

KEEP_EVERY_SECONDS = 0.5
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


@dataclass(frozen=True, slots=True)
class IncidentDrain:
    """Drains one account at a time. The lease keeps other workers away, the generation outdated jobs.

    `canceller` opens connections to Twilio on the running event loop.
    """

    canceller: OpenCanceller
    tracker: CallTracker
    incidents: IncidentStore
    reconciler: Reconciler
    drains: DrainQueue
    clock: Clock
    notices: Notices
    outages: TwilioOutages

    def run(self, account: Account, generation: int, owner: str) -> DrainEnd:
        """Drain for one time slice (`cancel/time_slice.py`); doubled, late or lost runs do no harm.

        Raises:
            StoreUnavailable: Redis does not answer. The lease ends by itself, and the watcher wakes another run.
        """
        if not self.incidents.start_drain(account.sid, generation, owner, account.policy.mode):
            return DrainEnd.NOT_OURS
        incident = self.incidents.current(account.sid)
        if incident is None:
            return DrainEnd.NOT_OURS
        end = self._run(account, incident, owner)
        if end not in (DrainEnd.FINISHED, DrainEnd.CAPPED):
            self.incidents.yield_drain(account.sid, owner)
        self._report(account.sid, end)
        return end

    def _run(self, account: Account, incident: Incident, owner: str) -> DrainEnd:
        known = self.incidents.concurrency(account.sid)
        limit = ConcurrencyLimit() if known is None else ConcurrencyLimit(known, is_searching=False)
        keep = partial(self._keep, incident, owner, limit)
        with RenewedLease(keep, KEEP_EVERY_SECONDS) as lease:
            turn = TimeSlice(account.sid, lease, self.drains)
            ledger = IncidentLedger(account.sid, incident.generation, self.tracker, self.incidents, self.clock)
            return _Run(
                account, incident, owner, turn, limit, ledger, self.canceller, self.tracker, self.incidents,
                self.reconciler, self.drains, self.clock, self.notices, self.outages,
            ).to_its_end()  # fmt: skip

    def _keep(self, incident: Incident, owner: str, limit: ConcurrencyLimit) -> bool:
        """Renew the lease, and note the concurrency that Twilio bears for the next drain."""
        is_kept = self.incidents.keep_drain(incident.account_sid, incident.generation, owner)
        self.incidents.note_concurrency(incident.account_sid, limit.limit)
        return is_kept

    def _report(self, account_sid: str, end: DrainEnd) -> None:
        """Say in the log how far the drain has come."""
        now = self.incidents.current(account_sid)
        if now is None:
            return
        if end is DrainEnd.FINISHED:
            now_ms = self.clock.now_ms()
            snapshot = self.tracker.snapshot(account_sid, now_ms)
            tell_done(self.notices, now, now_ms, snapshot.left_alone - snapshot.protected)
        counts = ", ".join(f"{n} {outcome.words}" for outcome, n in now.outcomes.items() if n)
        _log.warning(
            "account %s: drain %s: %s; %d still queued, %d protected",
            *(account_sid, end.value, counts or "nothing to do", now.remaining, now.protected),
        )


@dataclass(frozen=True, slots=True)
class _Run:
    """One run of a drain."""

    account: Account
    incident: Incident
    owner: str
    turn: TimeSlice
    limit: ConcurrencyLimit
    ledger: IncidentLedger
    canceller: OpenCanceller
    tracker: CallTracker
    incidents: IncidentStore
    reconciler: Reconciler
    drains: DrainQueue
    clock: Clock
    notices: Notices
    outages: TwilioOutages

    def to_its_end(self) -> DrainEnd:
        is_observing = Mode.OBSERVE in (self.incident.mode, self.account.policy.mode)
        return self._observe() if is_observing else asyncio.run(self._cancel())

    async def _cancel(self) -> DrainEnd:
        if self.incident.count(Outcome.OBSERVED):  # it began in the mode `observe`
            self.incidents.unobserve(self.account.sid, self.incident.generation)
        async with self.canceller() as canceller, asyncio.TaskGroup() as beside:
            beside.create_task(self._sort())
            await self._protect()
            sweep = Sweep(self.account.sid, canceller, self.ledger, self._cap(), self.limit, MAX_UNKNOWN)
            listing = QueueListing(self.account, self.reconciler, self._may_read_on)
            finish = partial(self._finish, DrainEnd.FINISHED)
            return await until_empty(
                partial(self._sweep, sweep), partial(self._read_list, sweep, listing), finish, self._wait_for_store
            )

    async def _protect(self) -> None:
        """Read the queue again if `never_cancel` has changed: the mirror holds no numbers to check it against."""
        account, tracker = self.account, self.tracker
        listing = QueueListing(account, self.reconciler, self.turn.may_go_on)
        while self.turn.may_go_on():
            try:
                mirrored_under = tracker.never_cancel_digest(account.sid)
                was_never_read = not mirrored_under and not account.policy.never_cancel
                if was_never_read or mirrored_under == account.never_cancel_digest:
                    return
                _log.warning("account %s: never_cancel has changed: the queue is read again first", account.sid)
                await listing.is_empty()
            except StoreUnavailable as error:
                await self._wait_for_store(error)

    async def _wait_for_store(self, error: StoreUnavailable, _failures: int = 1) -> None:
        _log.warning("account %s: %s; the drain waits", self.account.sid, error)
        await asyncio.sleep(STORE_PAUSE_SECONDS)

    async def _sweep(self, sweep: Sweep) -> DrainEnd | None:
        """Sweep what the mirror holds; return the end, or None where Twilio's list is to be read next."""
        if not self.turn.may_go_on():
            return self._end_of_turn()
        await sweep.run(self.turn.may_go_on)
        if end := self._end_of(sweep):
            return end
        if sweep.cancelled and not sweep.is_unknown and self.drains.others_wait(self.account.sid):
            # The others' calls are being dialled. This account's next turn asks whether its queue is empty.
            return DrainEnd.YIELDED
        return None

    async def _read_list(self, sweep: Sweep, listing: QueueListing) -> Listed:
        if sweep.is_unknown:
            await self._read_after_unknown(sweep)
            return Listed.UNCLEAR
        return Listed.NOTHING if await listing.is_empty() else Listed.CALLS

    async def _read_after_unknown(self, sweep: Sweep) -> None:
        """Warn that Twilio does not know the calls of the mirror, and read its list to correct the mirror."""
        if not sweep.cancelled:
            self._tell_of_unknown()
        listing = QueueListing(self.account, self.reconciler, self.turn.may_go_on)
        while self.turn.may_go_on() and not await listing.is_empty():
            pass  # it makes a pause between two lists

    def _tell_of_unknown(self) -> None:
        text = (
            f"Twilio knows none of the first {MAX_UNKNOWN} calls that were to be cancelled (404). Cancelling "
            "stops until Twilio's list is read, and goes on with what that shows. Do callbacks and list come from "
            "the same account and region? Look at TWILIO_REGION, twilio_api_url and the account's SID"
        )
        _log.warning("account %s: %s", self.account.sid, text)
        notice = Notice(self.account.sid, NoticeKind.WARNING, text, self.clock.now_ms())
        self.notices.post(notice, once=f"unknown:{self.incident.generation}")

    async def _sort(self) -> None:
        """Leave alone what the incident is not about, ahead of the sweep, which does so only as it goes along."""
        if self.incident.scope.senders:
            with suppress(StoreUnavailable):
                await self.ledger.sort()

    def _end_of(self, sweep: Sweep) -> DrainEnd | None:
        """Return why the run ends after this sweep; None if it goes on with Twilio's list."""
        if sweep.denied:
            self.outages.cancel_denied(self.account.sid)
        elif sweep.has_served:
            self.outages.cancel_served(self.account.sid)
        if sweep.stopped:
            return DrainEnd.STOPPED
        if sweep.is_capped and self._has_work():
            return self._finish(DrainEnd.CAPPED)
        return DrainEnd.YIELDED if sweep.backlog.parked and self._has_work() else None

    def _cap(self) -> int:
        cancelled = self.incident.count(Outcome.CANCELLED)
        return self.account.policy.max_cancellations + self.incident.cap_from - cancelled

    def _observe(self) -> DrainEnd:
        """Mark what would have been cancelled, and cancel nothing."""
        seen = 0
        while self.turn.may_go_on():
            calls = self.tracker.head(self.account.sid, OBSERVED_AT_ONCE, seen)
            if not calls:
                return self._finish(DrainEnd.FINISHED)
            inside = self.tracker.in_scope(self.account.sid, calls)
            self.ledger.settle([(sid, Outcome.OBSERVED) for sid in inside])
            seen += len(inside)
        return self._end_of_turn()

    def _end_of_turn(self) -> DrainEnd:
        return DrainEnd.STOPPED if self.turn.is_lost else DrainEnd.YIELDED

    def _may_read_on(self) -> bool:
        return self.turn.may_go_on() and not self._has_work()

    def _has_work(self) -> Sequence[str]:
        return self.ledger.head(1)

    def _finish(self, end: DrainEnd) -> DrainEnd:
        now_ms = self.clock.now_ms()
        finished = self.incidents.finish_drain(
            self.account.sid, self.incident.generation, self.owner, now_ms, capped=end is DrainEnd.CAPPED
        )
        # If it is not finished, new calls came after the last list or a person took over: the watcher goes on.
        return end if finished else DrainEnd.YIELDED
