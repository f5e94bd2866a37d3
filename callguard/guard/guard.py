"""The guard: news of calls in, trips out."""

import logging
from collections.abc import Sequence

from callguard.config.accounts import Account
from callguard.domain.accounts import Finding, Snapshot
from callguard.domain.calls import CallEvent
from callguard.domain.rules import Verdict, decide
from callguard.ports import CallTracker, Clock, Door, DrainQueue, IncidentBook

_log = logging.getLogger(__name__)


class Guard:
    """Counts news of calls and trips when a rule says so.

    Any number of processes may run one each: the store counts each event once and lets one trip win.
    """

    def __init__(self, tracker: CallTracker, incidents: IncidentBook, drains: DrainQueue, clock: Clock) -> None:
        """Keep the ports."""
        self._tracker = tracker
        self._incidents = incidents
        self._drains = drains
        self._clock = clock

    def take(self, account: Account, events: Sequence[CallEvent], door: Door) -> int:
        """Count `events`, act on what they show, and return how many of them were news.

        A repeat counts nothing but is judged like any other: the reply to the first may have been lost.

        Raises:
            StoreUnavailable: nothing is lost by giving the same events again.
        """
        now_ms = self._clock.now_ms()
        observed = self._tracker.observe(account.sid, events, account.policy, now_ms, door)
        self.judge(account, observed.snapshot)
        return observed.counted

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
        policy = account.policy
        if not self._incidents.trip(account.sid, snapshot.generation, finding, policy.mode, snapshot.now_ms):
            return False
        _log.warning(
            "account %s TRIPPED: %s; %d calls queued, mode %s",
            *(account.sid, describe(finding), snapshot.depth, policy.mode.value),
        )
        self._drains.wake(account.sid, snapshot.generation + 1)
        return True


def describe(finding: Finding) -> str:
    """Return a finding in words, such as `rule spike: 65.3 reached spike_burst = 65`."""
    observed, threshold = (f"{n:,.1f}".removesuffix(".0") for n in (finding.observed, finding.threshold))
    return f"rule {finding.rule.value}: {observed} reached {finding.setting} = {threshold}"
