"""The guard: news of calls in, trips out."""

import logging
from collections.abc import Sequence

from callguard.config.accounts import Account
from callguard.domain.accounts import Finding, Rule, Snapshot
from callguard.domain.calls import CallEvent
from callguard.domain.culprits import Culprit, Sender, carriers, culprits
from callguard.domain.rules import Verdict, decide
from callguard.domain.scope import Scope, flooded, scope_of, widened
from callguard.ports import (
    CallTracker,
    Clock,
    Door,
    DrainQueue,
    IncidentBook,
    Notice,
    NoticeKind,
    Notices,
    StoreUnavailable,
)

_log = logging.getLogger(__name__)


class Guard:
    """Counts news of calls and trips when a rule says so.

    Any number of processes may run one each: the store counts each event once and lets one trip win.
    """

    def __init__(
        self, tracker: CallTracker, incidents: IncidentBook, drains: DrainQueue, notices: Notices, clock: Clock
    ) -> None:
        """Keep the ports."""
        self._notices = notices
        self._tracker = tracker
        self._incidents = incidents
        self._drains = drains
        self._clock = clock
        self._sorted: dict[str, tuple[int, Scope]] = {}

    def take(self, account: Account, events: Sequence[CallEvent], door: Door) -> int:
        """Count `events`, act on what they show, and return how many of them were news.

        A repeat counts nothing but is judged like any other: the reply to the first may have been lost.

        Raises:
            StoreUnavailable: nothing is lost by giving the same events again.
        """
        now_ms = self._clock.now_ms()
        observed = self._tracker.observe(account.sid, events, account.policy, now_ms, door, if_crossed=True)
        if observed.snapshot is not None:
            self.judge(account, observed.snapshot)
        return observed.counted

    def count(self, account: Account, events: Sequence[CallEvent], door: Door) -> int:
        """Count `events` as `take` does, and leave the judging to whoever has given them."""
        now_ms = self._clock.now_ms()
        return self._tracker.observe(account.sid, events, account.policy, now_ms, door, if_crossed=True).counted

    def judge(self, account: Account, snapshot: Snapshot) -> None:
        """Apply the rules to a snapshot: trip, or remember a suspicion so that the watcher asks Twilio."""
        decision = decide(snapshot, account.policy)
        if decision.finding is None:
            return
        if decision.verdict is Verdict.TRIP:
            self.trip(account, snapshot, decision.finding)
        elif snapshot.suspected is None:
            _log.info("account %s: %s; asking Twilio for its queue", account.sid, describe(decision.finding))
            self._tracker.suspect(account.sid, decision.finding, snapshot.now_ms)

    def trip(self, account: Account, snapshot: Snapshot, finding: Finding) -> bool:
        """Open an incident and wake a drain; return whether this call was the one that did it.

        State first, wake-up second: if we die in between, the watcher finds the drain without a lease.
        """
        policy, mode = account.policy, snapshot.mode_under(account.policy)
        senders = self._tracker.senders(account.sid, finding.rule, policy, snapshot.now_ms)
        scope = self._scope(account, finding, senders)
        named_ones = culprits(senders)
        generation, now_ms = snapshot.generation, snapshot.now_ms
        if not self._incidents.trip(account.sid, generation, finding, mode, now_ms, named_ones, scope):
            return False
        text = f"TRIPPED: {describe(finding)}; {snapshot.depth:,} calls queued, mode {mode.value}"
        text += f"; from {named(named_ones)}" if named_ones else ""
        _log.warning("account %s %s", account.sid, text)
        self._drains.wake(account.sid, generation + 1)
        self._tell(Notice(account.sid, NoticeKind.TRIPPED, text, now_ms))
        return True

    def widen(self, account: Account, snapshot: Snapshot) -> bool:
        """Let an open incident be about more numbers, if those that it leaves alone spike; return whether it is.

        Raises:
            StoreUnavailable: a later call takes it up.
        """
        incident = self._incidents.current(account.sid) if snapshot.outside else None
        if incident is None:
            return False
        wider, why = self._wider(account, snapshot, incident.scope)
        is_wider = wider != incident.scope and self._incidents.widen(account.sid, incident.generation, wider)
        if is_wider:
            _log.warning("account %s: %s", account.sid, why)
            self._tell(Notice(account.sid, NoticeKind.WARNING, why, snapshot.now_ms))
        if not is_wider and self._sorted.get(account.sid) == (incident.generation, incident.scope):
            return False
        # The scope is another than when we looked last: it was widened, or the spike began earlier than was known.
        self._tracker.take_back(account.sid)
        self._sorted[account.sid] = (incident.generation, wider if is_wider else incident.scope)
        return True

    def _wider(self, account: Account, snapshot: Snapshot, scope: Scope) -> tuple[Scope, str]:
        """Return the scope that is called for by now, and why in words."""
        policy = account.policy
        if snapshot.outside > policy.max_backlog:
            why = (
                f"{snapshot.outside:,} calls that the incident left alone exceed max_backlog: it goes on with them"
            )
            return flooded(scope, self._tracker.listed_short_ms(account.sid)), why
        if snapshot.outside < policy.min_backlog:
            return scope, ""
        senders = self._tracker.senders(account.sid, Rule.SPIKE, policy, snapshot.now_ms)
        others = [sender for sender in senders if sender.sender not in scope.senders]
        wider = widened(scope, others, policy.spike_burst)
        shown = ", ".join(sender.shown for sender in others if sender.sender in wider.senders)
        return wider, f"the incident goes on with calls from {shown or 'every number'}: they spike as well"

    def _scope(self, account: Account, finding: Finding, senders: Sequence[Sender]) -> Scope:
        policy = account.policy
        burst = policy.initiated_burst if finding.rule is Rule.INITIATED else policy.spike_burst
        few = carriers(senders, burst * policy.warn_share)
        if finding.rule is Rule.REPEAT and not few:
            few = frozenset(filter(None, [self._tracker.repeated_by(account.sid)]))
        return scope_of(finding, few, self._tracker.listed_short_ms(account.sid))

    def _tell(self, notice: Notice) -> None:
        """Post a notice, best effort: whoever is told, the trip stands."""
        try:
            self._notices.post(notice)
        except StoreUnavailable as error:
            _log.warning("account %s: nobody could be told of the trip: %s", notice.account_sid, error)


def describe(finding: Finding) -> str:
    """Return a finding in words, such as `rule spike: 65.3 reached spike_burst = 65`."""
    observed, threshold = (f"{n:,.1f}".removesuffix(".0") for n in (finding.observed, finding.threshold))
    return f"rule {finding.rule.value}: {observed} reached {finding.setting} = {threshold}"


def named(found: Sequence[Culprit]) -> str:
    """Return the From numbers that carry a spike in words, such as `+1555***01 (97 %)`."""
    return ", ".join(f"{culprit.shown} ({culprit.share:.0%})".replace("%", " %") for culprit in found)
