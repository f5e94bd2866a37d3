"""The watch over one account."""

import logging
from collections.abc import Callable, Sequence

from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.detect.guard import Guard
from callguard.domain.attention import rest_seconds
from callguard.domain.incidents import summary
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.policy import Mode, Rearm
from callguard.domain.rules import is_quiet, reported, warnings
from callguard.domain.snapshot import Snapshot, State
from callguard.errors import TwilioRefused, TwilioThrottled, TwilioUnavailable
from callguard.mirror.reconcile import Reconciler
from callguard.mirror.twilio_outages import TwilioOutages
from callguard.watch.needs import CallTracker, Decisions, DrainQueue, IncidentStore, Notices
from callguard.watch.unqueued import UnqueuedIncident

_log = logging.getLogger(__name__)

ALERT_POLL_SECONDS = 1.0
WAKE_EVERY_SECONDS = 1.0
MAX_BACK_OFF_SECONDS = 30.0
REMIND_SECONDS = 4 * 3600
"""Seconds between two reminders that an incident waits for `callguard reset`."""


class AccountWatch:
    """Polls Twilio's queue, applies rules that depend on time, and leads an open incident to its end."""

    def __init__(
        self,
        account: Account,
        *,
        guard: Guard,
        reconciler: Reconciler,
        tracker: CallTracker,
        incidents: IncidentStore,
        drains: DrainQueue,
        notices: Notices,
        outages: TwilioOutages,
        clock: Clock,
        monotonic: Callable[[], float],
        tasks: Sequence[Callable[[Snapshot], None]] = (),
        decisions: Decisions | None = None,
        verify_reports: Callable[[Account, int], None] = lambda _account, _began_ms: None,
    ) -> None:
        """Keep the ports; `monotonic` gives seconds for intervals. `tasks` are done at each tick, at its end.

        `decisions` is compared with the store; without it the store is believed. `verify_reports` looks up calls
        that were reported before a moment (ms) and are not in Twilio's list; it may raise as reading the list may.
        """
        self.account = account
        self._guard = guard
        self._reconciler = reconciler
        self._tracker = tracker
        self._incidents = incidents
        self._drains = drains
        self._notices = notices
        self._outages = outages
        self._clock = clock
        self._monotonic = monotonic
        self._tasks = tasks
        self._decisions = decisions
        self._verify = verify_reports
        self._polled_at = float("-inf")
        self._asked_ms = 0
        self._poll_failures = 0
        self._woken_at = float("-inf")
        self._unqueued = UnqueuedIncident(account, guard, incidents, notices, monotonic)

    def begin(self, share: float, delay: float) -> None:
        """Begin to watch: the first poll is due after `share` of `poll_seconds`, or `delay` seconds if less.

        This spreads the polls of many accounts that are taken up together, now and later.
        """
        calm_seconds = self.account.policy.poll_seconds
        self._polled_at = self._monotonic() - calm_seconds + min(delay, share * calm_seconds)

    def tick(self, snapshot: Snapshot | None = None) -> float:
        """Do what is due now, and return in how many seconds to look again, unless news comes before.

        `snapshot` is the present one, if it has been read already.

        Raises:
            StoreUnavailable: the next tick tries again.
        """
        snapshot = self._look() if snapshot is None else self._checked(snapshot)
        self._guard.judge(self.account, snapshot)
        if self._poll_in(snapshot) <= 0:
            # Without proof of a backlog read the whole list, so that calls which have left do not count as proof.
            whole = snapshot.suspected is not None
            has_incident = snapshot.state.has_open_incident
            read = self._poll(retire=not self._is_being_drained(snapshot), whole=whole, has_incident=has_incident)
            if snapshot.unconfirmed:
                self._verify_reports()
                read = None
            snapshot = self._look() if read is None else self._checked(read)
        if self._follow_mode(snapshot):
            snapshot = self._look()
        if not snapshot.paused:
            self._advance(snapshot)
        for task in self._tasks:
            task(snapshot)
        return max(0.0, min(self._poll_in(snapshot), rest_seconds(snapshot)))

    def _is_being_drained(self, snapshot: Snapshot) -> bool:
        """Return whether a drain may have cancelled calls that left the list, even if it was killed before it said
        so.

        Its next run looks such calls up and knows; retired here, they would count as gone.
        """
        has_work = snapshot.state in (State.TRIPPED, State.DRAINING) and not snapshot.unqueued
        is_due = has_work and not snapshot.paused
        has_tripped = snapshot.generation > 0
        return is_due or (has_tripped and self._incidents.has_lease(self.account.sid))

    def _look(self) -> Snapshot:
        return self._checked(self._tracker.snapshot(self.account.sid, self._clock.now_ms()))

    def _checked(self, snapshot: Snapshot) -> Snapshot:
        if self._decisions is not None and self._decisions.check(snapshot, self.account.sid):
            snapshot = self._tracker.snapshot(self.account.sid, self._clock.now_ms())
        return snapshot

    def _follow_mode(self, snapshot: Snapshot) -> bool:
        """Change an open incident to the policy's present mode; return whether it has changed."""
        mode = Mode.OBSERVE if snapshot.lost_ms else self.account.policy.mode
        if not snapshot.state.has_open_incident or snapshot.mode in (None, mode):
            return False
        if not self._incidents.change_mode(self.account.sid, snapshot.generation, mode):
            return False
        what = "cancels what is still queued" if mode is Mode.ENFORCE else "cancels nothing more"
        text = f"the mode is {mode.value} now: the open incident {what}"
        _log.warning("account %s: %s", self.account.sid, text)
        self._notices.post(Notice(self.account.sid, NoticeKind.WARNING, text, snapshot.now_ms))
        return True

    def _poll_in(self, snapshot: Snapshot) -> float:
        """Return the seconds until the next poll is due."""
        if self._is_unasked(snapshot) and not self._poll_failures:
            return 0.0
        alert = self._is_suspicious(snapshot) or snapshot.state.has_open_incident
        calm_seconds = self.account.policy.poll_seconds
        interval = min(ALERT_POLL_SECONDS, calm_seconds) if alert else calm_seconds
        if self._poll_failures:
            interval = max(interval, min(MAX_BACK_OFF_SECONDS, 2.0 ** min(self._poll_failures, 8) / 2))
        return interval - (self._monotonic() - self._polled_at)

    def _is_suspicious(self, snapshot: Snapshot) -> bool:
        policy = self.account.policy
        return snapshot.is_suspected or reported(snapshot, policy) is not None or bool(warnings(snapshot, policy))

    def _is_unasked(self, snapshot: Snapshot) -> bool:
        """Return whether a suspicion has come up since Twilio was last asked; it does so every 15 s at most."""
        suspicion = snapshot.suspicion
        return suspicion is not None and suspicion.since_ms >= self._asked_ms

    def _poll(self, *, retire: bool, whole: bool, has_incident: bool) -> Snapshot | None:
        """Poll, and return the account after it, if it is known."""
        before_at, before_ms = self._polled_at, self._asked_ms
        self._polled_at, self._asked_ms = self._monotonic(), self._clock.now_ms()
        try:
            reading = self._reconciler.look(self.account, retire=retire, whole=whole)
        except (TwilioUnavailable, TwilioThrottled, TwilioRefused) as error:
            self._poll_failures += 1
            self._outages.list_failed(self.account.sid, error)
            _log.warning("account %s: Twilio's queue could not be read: %s", self.account.sid, error)
            return None
        if not reading.taken:  # another process is reading: one of the next ticks tries again
            self._polled_at, self._asked_ms = before_at, before_ms
            return None
        self._poll_failures = 0
        outages = reading.snapshot.outages if reading.snapshot is not None else None
        self._outages.list_read(self.account.sid, has_incident=has_incident, outages=outages)
        if reading.fresh or reading.retired:
            _log.info(
                "account %s: %d queued calls listed, %d new, %d gone",
                *(self.account.sid, reading.listed, reading.fresh, reading.retired),
            )
        return reading.snapshot

    def _verify_reports(self) -> None:
        try:
            self._verify(self.account, self._asked_ms)
        except (TwilioUnavailable, TwilioThrottled, TwilioRefused) as error:
            _log.info("account %s: reported calls could not be looked up: %s", self.account.sid, error)

    def _advance(self, snapshot: Snapshot) -> None:
        if snapshot.state.has_open_incident and self._guard.widen(self.account, snapshot):
            snapshot = self._look()
        if snapshot.unqueued:
            self._end_if_over(snapshot)
        elif snapshot.state in (State.TRIPPED, State.DRAINING):
            self._wake_orphan(snapshot)
        elif snapshot.state is State.COOLING:
            self._cool(snapshot)

    def _wake_orphan(self, snapshot: Snapshot) -> None:
        recently = self._monotonic() - self._woken_at < WAKE_EVERY_SECONDS
        if recently or self._incidents.has_lease(self.account.sid):
            return
        if 0 <= snapshot.now_ms - snapshot.tripped_ms < WAKE_EVERY_SECONDS * 1000:
            return  # the wake-up that went with the trip is still on its way
        self._woken_at = self._monotonic()
        _log.info("account %s: no worker drains the account; waking one", self.account.sid)
        self._drains.wake(self.account.sid, snapshot.generation)

    def _cool(self, snapshot: Snapshot) -> None:
        policy = self.account.policy
        if snapshot.cancellable and self._incidents.reopen(self.account.sid, snapshot.generation):
            self._drains.wake(self.account.sid, snapshot.generation)
            return
        if snapshot.capped:
            self._tell_of_cap(snapshot)
        if policy.rearm is Rearm.MANUAL or snapshot.capped:
            if not snapshot.capped:
                self._tell_of_waiting(snapshot)
            return
        lately = self._tracker.queued_since(self.account.sid, policy.quiet_seconds, snapshot.now_ms)
        if is_quiet(snapshot, policy, lately):
            self._rearm(snapshot)

    def _end_if_over(self, snapshot: Snapshot) -> None:
        if not self._unqueued.is_over(snapshot):
            return
        if self.account.policy.rearm is Rearm.AUTO:
            self._rearm(snapshot)
        else:
            self._tell_of_waiting(snapshot)

    def _rearm(self, snapshot: Snapshot) -> None:
        policy = self.account.policy
        reason = f"quiet for {policy.quiet_seconds} s"
        if self._incidents.rearm(self.account.sid, snapshot.generation, reason, snapshot.now_ms, force=False):
            _log.warning("account %s armed again: %s%s", self.account.sid, reason, _mode_note(policy.mode))
            self._tell_of_arming(reason, snapshot.now_ms)

    def _tell_of_cap(self, snapshot: Snapshot) -> None:
        sid, cap = self.account.sid, self.account.policy.max_cancellations
        incident = self._incidents.current(sid)
        cap_from = incident.cap_from if incident is not None else 0
        text = (
            f"the drain has stopped at max_cancellations = {cap:,}; {snapshot.cancellable:,} calls are still "
            "queued. Look at `callguard status`; `callguard cancel --continue` lets it cancel as many again, "
            "`callguard pause` leaves them to Twilio"
        )
        notice = Notice(sid, NoticeKind.CAPPED, text, snapshot.now_ms)
        self._notices.post(notice, once=f"capped:{snapshot.generation}:{cap_from}")

    def _tell_of_waiting(self, snapshot: Snapshot) -> None:
        policy = self.account.policy
        if abs(snapshot.now_ms - snapshot.cooled_ms) < policy.quiet_seconds * 1000:
            return
        shut = " Until then programs that ask the gate are told to wait." if snapshot.shuts_gate(policy) else ""
        text = (
            f"the incident waits for `callguard reset`, as rearm = manual; {snapshot.cancellable:,} calls are "
            f"queued.{shut} See `callguard status`"
        )
        notice = Notice(self.account.sid, NoticeKind.WAITING, text, snapshot.now_ms)
        self._notices.post(notice, once=f"waiting:{snapshot.generation}", every_seconds=REMIND_SECONDS)

    def _tell_of_arming(self, reason: str, now_ms: int) -> None:
        closed = self._incidents.recent(self.account.sid, 1)
        text = f"armed again: {reason}" + (f"; {summary(closed[0])}" if closed else "")
        # An incident that comes back within the hour is reopened: people are not told of each of its ends.
        once = f"armed:{closed[0].generation}" if closed and closed[0].unqueued else ""
        self._notices.post(Notice(self.account.sid, NoticeKind.ARMED, text, now_ms), once=once)


def _mode_note(mode: Mode) -> str:
    return " (it only observed)" if mode is Mode.OBSERVE else ""
