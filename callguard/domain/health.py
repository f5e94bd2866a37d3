"""Whether the guard as a whole works, and why not: one decision, for the probe and for `callguard status`."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from callguard.domain.holds import HoldReason, holds
from callguard.domain.policy import Policy
from callguard.domain.snapshot import Snapshot
from callguard.domain.wording import span

PROCESSES = ("watcher", "cancel-worker")
"""The kinds of processes without which nothing is watched, or nothing cancelled."""

SILENT_SECONDS = 60
"""Seconds after which a silent process, or a queue that was not read, is trouble."""

UNREAD_POLLS = 3
"""Where `poll_seconds` is long, the queue counts as unread after so many missed polls."""


@dataclass(frozen=True, slots=True)
class Watched:
    """What is known of one account. `outages` are in words for people."""

    sid: str
    snapshot: Snapshot
    policy: Policy
    outages: Sequence[str] = field(default=())


@dataclass(frozen=True, slots=True)
class Trouble:
    """One reason why calls are not guarded.

    Attributes:
        kind: a word of a closed set, without secrets.
        summary: what it means, without account, address or figure.
        detail: the same with account and figures, for the operator.
        account_sid: empty where it is about all accounts.
        is_chosen: True if the settings want it so: it is shown, but is no fault.
    """

    kind: str
    summary: str
    detail: str
    account_sid: str = ""
    is_chosen: bool = False


_HELD = {
    HoldReason.STATE_LOST: ("only observes: Redis has lost what people had decided", "see state lost"),
    HoldReason.PAUSED: ("a person has paused it", "see paused"),
    HoldReason.CAPPED: ("the drain stopped at max_cancellations and waits for a person", "see STOPPED"),
    HoldReason.OBSERVING: ('mode = "observe": it tells, and cancels nothing', "see observing"),
}


def troubles(beats: Mapping[str, float], accounts: Sequence[Watched]) -> Iterator[Trouble]:
    """Yield every reason; `beats` are the seconds since each kind of process' last sign of life."""
    for process in PROCESSES:
        age = beats.get(process)
        if age is None or age > SILENT_SECONDS:
            summary = "never gave a sign of life" if age is None else f"no sign of life for {span(age)}"
            yield Trouble(process, summary, f"{process}: {summary}")
    for account in accounts:
        yield from _of(account)


def _of(account: Watched) -> Iterator[Trouble]:
    sid, snapshot, policy = account.sid, account.snapshot, account.policy
    # A time in the future is from before the clock was set back, and proves nothing.
    age = abs(snapshot.now_ms - snapshot.polled_ms) / 1000 if snapshot.polled_ms else None
    if age is None or age > max(SILENT_SECONDS, UNREAD_POLLS * policy.poll_seconds):
        read = "has never been read" if age is None else f"was last read {span(age)} ago"
        yield Trouble("polling", "Twilio's queue is not read", f"Twilio's queue {read} ({sid})", sid)
    for outage in account.outages:
        yield Trouble("twilio", "Twilio does not serve us", f"{outage} ({sid})", sid)
    reasons = [hold.reason for hold in holds(snapshot, policy)]
    is_lost = HoldReason.STATE_LOST in reasons  # then it observes for that reason, and not by choice
    for reason in reasons:
        if reason in _HELD and not (is_lost and reason is HoldReason.OBSERVING):
            summary, where = _HELD[reason]
            chosen = reason is HoldReason.OBSERVING
            yield Trouble(reason.value, summary, f"{sid}: {summary} ({where})", sid, is_chosen=chosen)


def report(found: Sequence[Trouble], accounts: int) -> str:
    """Return a line for each kind of trouble, fit for strangers."""
    if not found:
        return "ok\n"
    kinds = dict.fromkeys(trouble.kind for trouble in found)
    return "".join(_line(kind, [one for one in found if one.kind == kind], accounts) for kind in kinds)


def _line(kind: str, found: Sequence[Trouble], accounts: int) -> str:
    concerned = len({trouble.account_sid for trouble in found if trouble.account_sid})
    of = f" ({concerned:,} of {accounts:,} accounts)" if concerned else ""
    return f"{kind}: {found[0].summary}{of}\n"
