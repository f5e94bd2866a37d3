"""The guard: counts news of calls, and trips."""

import logging
import math
from collections.abc import Callable, Sequence
from dataclasses import replace

from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.detect.needs import CallTracker, DrainQueue, IncidentStore, Notices
from callguard.domain.calls import CallEvent
from callguard.domain.culprits import Culprit, Sender, carriers, culprits
from callguard.domain.incidents import Incident
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.rules import Verdict, decide
from callguard.domain.scope import Scope, scope_of, unbounded, widened
from callguard.domain.snapshot import Finding, Rule, Snapshot
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome
from callguard.domain.unqueued import is_back, what_is_dialled, what_is_done
from callguard.domain.wording import span
from callguard.errors import StoreUnavailable

_log = logging.getLogger(__name__)

REMIND_SECONDS = 4 * 3600
"""How often people are told of an incident without a queue while it lasts."""

MAX_SECONDS_COUNTED = 900

LATELY_SECONDS = 60
"""Seconds over which the dialling rate is measured while an incident without a queue lasts."""


class Guard:
    """Counts news of calls and trips when a rule says so.

    Any number of processes may run one each: the store counts each event once and lets one trip win.
    """

    def __init__(
        self,
        tracker: CallTracker,
        incidents: IncidentStore,
        drains: DrainQueue,
        notices: Notices,
        clock: Clock,
        tell_watcher: Callable[[str], None] = lambda _sid: None,
    ) -> None:
        """Keep the ports; `tell_watcher` asks the watcher to look at an account soon."""
        self._tell_watcher = tell_watcher
        self._notices = notices
        self._tracker = tracker
        self._incidents = incidents
        self._drains = drains
        self._clock = clock
        self._sorted: dict[str, tuple[int, Scope]] = {}

    def take(self, account: Account, events: Sequence[CallEvent], source: Source) -> int:
        """Count `events`, act on what they show, and return how many of them were new.

        A repeat counts nothing but is judged like any other: the reply to the first may have been lost.

        Raises:
            StoreUnavailable: the same events may be given again.
        """
        now_ms = self._clock.now_ms()
        observed = self._tracker.observe(account.sid, events, account.policy, now_ms, source, if_crossed=True)
        if observed.snapshot is not None:
            self.judge(account, observed.snapshot)
        elif observed.may_warn:
            self._ask_to_look(account)
        return observed.counted

    def count(self, account: Account, events: Sequence[CallEvent], source: Source) -> int:
        """Count `events` as `take` does, without applying the rules: the caller judges them."""
        now_ms = self._clock.now_ms()
        return self._tracker.observe(account.sid, events, account.policy, now_ms, source, if_crossed=True).counted

    def judge(self, account: Account, snapshot: Snapshot) -> bool:
        """Apply the rules to a snapshot: trip, or remember a suspicion so that the watcher asks Twilio.

        Return whether the state may have changed, so that the snapshot is outdated.
        """
        decision = decide(snapshot, account.policy)
        if decision.verdict is Verdict.DRAIN:
            self._take_queue(account, snapshot)
        if decision.finding is None:
            return decision.verdict is not Verdict.STAND_BY
        if decision.verdict in (Verdict.TRIP, Verdict.TRIP_UNQUEUED):
            unqueued = decision.verdict is Verdict.TRIP_UNQUEUED
            self.trip(account, snapshot, decision.finding, unqueued=unqueued)
        elif snapshot.suspected is None and not (decision.by_reports and snapshot.is_suspected):
            source = " by reports alone" if decision.by_reports else ""
            _log.info("account %s: %s%s; asking Twilio", account.sid, describe(decision.finding), source)
            self._tracker.suspect(account.sid, decision.finding, snapshot.now_ms, by_reports=decision.by_reports)
            self._ask_to_look(account)
        return True

    def trip(self, account: Account, snapshot: Snapshot, finding: Finding, *, unqueued: bool = False) -> bool:
        """Open an incident and wake a drain; return whether this call was the one that did it.

        An `unqueued` incident wakes no drain: nothing can be cancelled. One that has come back is reopened. The
        state is written before the wake-up: if we die in between, the watcher finds the drain without a lease.
        """
        policy, generation, now_ms = account.policy, snapshot.generation, snapshot.now_ms
        mode = snapshot.mode_under(policy)
        # Without a queue, the numbers that carry the spike are those of dialled calls.
        seen_by = Rule.INITIATED if unqueued and finding.rule is not Rule.SPIKE else finding.rule
        senders = self._tracker.senders(account.sid, seen_by, policy, now_ms)
        scope = self._scope(account, snapshot, finding, senders, seen_by)
        if unqueued and self._goes_on(account, snapshot, finding, scope):
            return True
        named_ones, finding = culprits(senders), self._as_observed(account, snapshot, finding)
        if not self._incidents.trip(
            account.sid, generation, finding, mode, now_ms, named_ones, scope, unqueued=unqueued
        ):
            return False
        self._ask_to_look(account)
        if unqueued:
            what = f"TRIPPED without a queue: {in_words(finding, now_ms)}"
            self._tell_unqueued(account, finding, finding.onset_ms, now_ms, generation + 1, named_ones, what)
            return True
        text = f"TRIPPED: {in_words(finding, now_ms)}; {snapshot.depth:,} calls queued, mode {mode.value}"
        text += f"; from {named(named_ones)}" if named_ones else ""
        _log.warning("account %s %s", account.sid, text)
        self._drains.wake(account.sid, generation + 1)
        self._tell(Notice(account.sid, NoticeKind.TRIPPED, text, now_ms))
        return True

    def remind_of_unqueued(self, account: Account, incident: Incident, now_ms: int) -> None:
        """Tell people again that an incident without a queue goes on, every `REMIND_SECONDS`; best effort."""
        lasts = span((now_ms - incident.tripped_ms) / 1000)
        text = (
            f"STILL a runaway without a queue, after {lasts}: {incident.count(Outcome.DIALLED):,} calls were "
            "dialled since it began"
        )
        senders = self._tracker.senders(account.sid, Rule.INITIATED, account.policy, now_ms)
        named_ones = culprits(senders) or incident.culprits
        since_ms = now_ms - LATELY_SECONDS * 1000
        self._tell_unqueued(account, incident.finding, since_ms, now_ms, incident.generation, named_ones, text)

    def _tell_unqueued(
        self,
        account: Account,
        finding: Finding,
        since_ms: int,
        now_ms: int,
        generation: int,
        named_ones: Sequence[Culprit],
        what: str,
    ) -> None:
        window = _seconds_counted(since_ms, now_ms)
        calls = self._tracker.dialled_since(account.sid, window, now_ms)
        calls = calls or self._tracker.queued_since(account.sid, window, now_ms)  # where no callback comes
        seconds = min((now_ms - since_ms) / 1000, window)
        dialled = what_is_dialled(finding, calls, seconds, named(named_ones))
        text = f"{what}; {dialled}. {what_is_done(account.policy)}"
        notice = Notice(account.sid, NoticeKind.TRIPPED, text, now_ms)
        if self._tell(notice, once=f"unqueued:{generation}", every_seconds=REMIND_SECONDS):
            _log.warning("account %s %s", account.sid, text)

    def _goes_on(self, account: Account, snapshot: Snapshot, finding: Finding, scope: Scope) -> bool:
        """Reopen the last incident if its runaway has come back; return whether it was reopened."""
        for closed in self._incidents.recent(account.sid, 1):
            is_same = closed.generation == snapshot.generation
            if not is_same or not is_back(closed, finding, scope, snapshot.now_ms):
                return False
            if self._incidents.go_on(account.sid, closed.generation):
                _log.warning("account %s: %s again: %s goes on", account.sid, describe(finding), closed.id)
                return True
        return False

    def _take_queue(self, account: Account, snapshot: Snapshot) -> None:
        """Begin to cancel, now that an incident without a queue has one."""
        if not self._incidents.take_queue(account.sid, snapshot.generation, snapshot.now_ms):
            return
        text = f"{snapshot.cancellable:,} calls are queued by now: the incident goes on with cancelling them"
        _log.warning("account %s: %s", account.sid, text)
        self._drains.wake(account.sid, snapshot.generation)
        self._tell(Notice(account.sid, NoticeKind.TRIPPED, text, snapshot.now_ms))

    def _as_observed(self, account: Account, snapshot: Snapshot, finding: Finding) -> Finding:
        """Return the finding with the counted calls: a bucket shows no more than twice its burst.

        Beside a campaign the level of the bucket stays: the counts hold the campaign's calls too.
        """
        counted = {
            Rule.SPIKE: (self._tracker.queued_since, account.policy.spike_rate),
            Rule.INITIATED: (self._tracker.dialled_since, account.policy.initiated_rate),
        }.get(finding.rule)
        window = _seconds_counted(finding.onset_ms, snapshot.now_ms)
        if counted is None or snapshot.campaign_ms >= finding.onset_ms or window == MAX_SECONDS_COUNTED:
            return finding
        (count, rate), seconds = counted, (snapshot.now_ms - finding.onset_ms) / 1000
        calls = count(account.sid, window, snapshot.now_ms)
        return replace(finding, observed=max(finding.observed, calls - rate * max(0.0, seconds)))

    def widen(self, account: Account, snapshot: Snapshot) -> bool:
        """Add From numbers to an open incident if the calls it leaves alone spike; return whether it has changed.

        Raises:
            StoreUnavailable: a later call tries again.
        """
        may_be_wider = snapshot.out_of_scope or snapshot.unqueued
        incident = self._incidents.current(account.sid) if may_be_wider else None
        if incident is None:
            return False
        wider, why = self._wider(account, snapshot, incident.scope)
        is_wider = wider != incident.scope and self._incidents.widen(account.sid, incident.generation, wider)
        if is_wider:
            _log.warning("account %s: %s", account.sid, why)
            self._tell(Notice(account.sid, NoticeKind.WARNING, why, snapshot.now_ms))
        if not is_wider and self._sorted.get(account.sid) == (incident.generation, incident.scope):
            return False
        # The scope has changed since the last look: it was widened, or the spike began earlier than was known.
        self._tracker.take_back(account.sid)
        self._sorted[account.sid] = (incident.generation, wider if is_wider else incident.scope)
        return True

    def _wider(self, account: Account, snapshot: Snapshot, scope: Scope) -> tuple[Scope, str]:
        """Return the scope that is needed now, and why in words."""
        policy = account.policy
        if snapshot.out_of_scope > policy.max_backlog:
            left = f"{snapshot.out_of_scope:,} calls that the incident left alone"
            why = f"{left} exceed max_backlog: it goes on with them"
            return unbounded(scope, snapshot.listed_short_ms), why
        if not snapshot.unqueued and snapshot.out_of_scope < policy.min_backlog:
            return scope, ""
        seen_by = Rule.INITIATED if snapshot.unqueued else Rule.SPIKE
        senders = self._tracker.senders(account.sid, seen_by, policy, snapshot.now_ms)
        others = [sender for sender in senders if sender.sender not in scope.senders]
        wider = widened(scope, others, policy.initiated_burst if snapshot.unqueued else policy.spike_burst)
        shown = ", ".join(sender.shown for sender in others if sender.sender in wider.senders)
        return wider, f"the incident goes on with calls from {shown or 'every number'}: they spike as well"

    def _scope(
        self, account: Account, snapshot: Snapshot, finding: Finding, senders: Sequence[Sender], seen_by: Rule
    ) -> Scope:
        policy = account.policy
        burst = policy.initiated_burst if seen_by is Rule.INITIATED else policy.spike_burst
        few = carriers(senders, burst * policy.warn_share)
        if finding.rule is Rule.REPEAT and not few:
            few = frozenset(filter(None, [self._tracker.repeated_by(account.sid)]))
        return scope_of(finding, few, snapshot.listed_short_ms)

    def _ask_to_look(self, account: Account) -> None:
        """Ask the watcher to look at the account, best effort: it looks at every account now and then."""
        try:
            self._tell_watcher(account.sid)
        except StoreUnavailable as error:
            _log.info("account %s: the watcher could not be told: %s", account.sid, error)

    def _tell(self, notice: Notice, *, once: str = "", every_seconds: int = 0) -> bool:
        """Post a notice, best effort; return whether it was posted. If it was not, the trip remains."""
        try:
            return self._notices.post(notice, once=once, every_seconds=every_seconds)
        except StoreUnavailable as error:
            _log.warning("account %s: nobody could be told of the trip: %s", notice.account_sid, error)
            return False


def _seconds_counted(onset_ms: int, now_ms: int) -> int:
    """Return over how many seconds of the counters to count calls since the onset."""
    return min(MAX_SECONDS_COUNTED, max(1, now_ms // 1000 - onset_ms // 1000 + 1))


def describe(finding: Finding) -> str:
    """Return a finding in words, such as `rule spike: 65.3 reached spike_burst = 65`."""
    observed, threshold = (f"{n:,.1f}".removesuffix(".0") for n in (finding.observed, finding.threshold))
    return f"rule {finding.rule.value}: {observed} reached {finding.setting} = {threshold}"


def in_words(finding: Finding, now_ms: int) -> str:
    """Return a finding in words, and what a count of calls to one destination means."""
    if finding.rule is not Rule.REPEAT:
        return describe(finding)
    seconds = math.ceil(max(0, now_ms - finding.onset_ms) / 1000)
    return (
        f"{describe(finding)}: one destination was called {finding.observed:,.0f} times in {span(max(1, seconds))}"
    )


def named(found: Sequence[Culprit]) -> str:
    """Return the From numbers that carry a spike in words, such as `+1555***01 (97 %)`."""
    return ", ".join(f"{culprit.shown} ({culprit.share:.0%})".replace("%", " %") for culprit in found)
