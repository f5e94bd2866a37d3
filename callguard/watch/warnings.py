"""Warns people of what may become a trip, and does nothing else."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from callguard.config.accounts import Account
from callguard.config.policies import env_name
from callguard.domain.culprits import Culprit
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.rules import Verdict, decide, warnings
from callguard.domain.snapshot import Finding, Rule, Snapshot
from callguard.domain.throughput import disagree
from callguard.watch.needs import Notices

WARN_EVERY_SECONDS = 600
CPS_EVERY_SECONDS = 3600
ASK_EVERY_MS = 10_000
"""How often the outbox is asked whether a standing warning is due again."""


def nobody(_rule: Rule) -> Sequence[Culprit]:
    """Name no culprit."""
    return ()


def uncounted(_rule: str) -> None:
    """Count nothing."""


class Warnings:
    """Warns of the rules of one account that are half way to a trip, and of a CPS that cannot be right.

    A task of the watch.
    """

    def __init__(self, account: Account, notices: Notices, count: Callable[[str], None] = uncounted) -> None:
        """`count` is called with a rule's name for each warning that is posted."""
        self._account = account
        self._notices = notices
        self._count = count
        self._asked_ms: dict[str, int] = {}

    def look(self, snapshot: Snapshot, culprits: Callable[[Rule], Sequence[Culprit]] = nobody) -> None:
        """Post the warnings of a snapshot: each rule every 10 minutes, and the CPS every hour at most.

        A rule that trips is not warned of. `culprits` is called only if a warning may be posted.

        Raises:
            StoreUnavailable: a later look tries again.
        """
        policy = self._account.policy
        if decide(snapshot, policy).verdict not in (Verdict.TRIP, Verdict.TRIP_UNQUEUED):
            for finding in warnings(snapshot, policy):
                self._warn(snapshot, finding, culprits)
        if disagree(policy.cps, snapshot.throughput.learned) and self._is_due("cps", snapshot):
            text = _cps_text(policy.cps, snapshot.throughput.learned)
            self._post(snapshot, NoticeKind.CPS, text, "cps", CPS_EVERY_SECONDS)

    def _warn(self, snapshot: Snapshot, finding: Finding, culprits: Callable[[Rule], Sequence[Culprit]]) -> None:
        rule = finding.rule
        name = f"warning:{rule.value}"
        if not self._is_due(name, snapshot):
            return
        limit = getattr(self._account.policy, finding.setting)
        text = _warning_text(snapshot, finding, limit, culprits(rule))
        if self._post(snapshot, NoticeKind.WARNING, text, name, WARN_EVERY_SECONDS):
            self._count(rule.value)

    def _is_due(self, name: str, snapshot: Snapshot) -> bool:
        last_ms = self._asked_ms.get(name)
        if last_ms is not None and 0 <= snapshot.now_ms - last_ms < ASK_EVERY_MS:
            return False
        self._asked_ms[name] = snapshot.now_ms
        return True

    def _post(self, snapshot: Snapshot, kind: NoticeKind, text: str, once: str, every_seconds: int) -> bool:
        notice = Notice(self._account.sid, kind, text, snapshot.now_ms)
        return self._notices.post(notice, once=once, every_seconds=every_seconds)


def _warning_text(snapshot: Snapshot, finding: Finding, limit: float, culprits: Sequence[Culprit]) -> str:
    unit = " s" if finding.setting.endswith("_seconds") else ""
    figures = f"{finding.observed:.0f}{unit} of {limit:g}{unit} ({finding.setting})"
    since = f" since {_moment(finding.onset_ms, snapshot.now_ms)}" if finding.onset_ms else ""
    named = ", ".join(f"{culprit.shown} ({culprit.share:.0%})" for culprit in culprits)
    queued = f"{snapshot.depth} queued{f', from {named}' if named else ''}"
    return f"{finding.rule.value}: {figures}{since}; {queued}. Nothing is cancelled at this level."


def _cps_text(configured: float, learned: float) -> str:
    # Twilio sells whole calls per second.
    return (
        f"Twilio dials {learned:.1f} calls per second, {env_name('cps')} (or cps in the account's table) says "
        f"{configured:g}: set it to {max(1, round(learned))}"
    )


def _moment(at_ms: int, now_ms: int) -> str:
    moment, now = (datetime.fromtimestamp(ms / 1000, UTC) for ms in (at_ms, now_ms))
    return f"{moment:%H:%M:%S} UTC" if moment.date() == now.date() else f"{moment:%Y-%m-%d %H:%M:%S} UTC"
