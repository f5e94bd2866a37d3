"""What `--continue` goes on with: an unfinished `callguard cancel`, or a guard's incident at its cap."""

from dataclasses import dataclass

import click

from callguard.bootstrap import ConsoleParts
from callguard.cancel.manual_cancel import MAX_CALLS
from callguard.cli.cancel.options import CancelOptions, shown
from callguard.cli.connect import guard_beside
from callguard.cli.output import console, say
from callguard.cli.person import is_confirmed, person
from callguard.config.accounts import Account
from callguard.config.settings import Settings
from callguard.detect.guard import describe
from callguard.domain.calls import ListedCall
from callguard.domain.cancel_run import UnfinishedRun
from callguard.domain.incidents import Incident, summary
from callguard.domain.selection import Selection
from callguard.domain.snapshot import Snapshot, Word
from callguard.domain.wording import span
from callguard.errors import StoreUnavailable
from callguard.store.cancel_runs import RedisCancelRun, RedisCancelRuns


@dataclass(frozen=True, slots=True)
class SearchTarget:
    """Which calls to look for: those of a selection, and if `known` calls are given, only those of them."""

    selection: Selection
    known: frozenset[str] | None = None

    @property
    def takes_every_call(self) -> bool:
        """Whether nothing narrows it."""
        return self.known is None and self.selection.takes_every_call

    def is_meant(self, call: ListedCall) -> bool:
        """Return whether a call of the selection is meant."""
        return self.known is None or call.call_sid in self.known


@dataclass(frozen=True, slots=True)
class Resumed:
    """A cancel run that goes on.

    Attributes:
        cancel_run: its record.
        sought: which calls to look for.
        began_ms: when it began, in milliseconds of Unix time.
        left: its calls that are not settled.
    """

    cancel_run: RedisCancelRun
    target: SearchTarget
    began_ms: int
    left: frozenset[str]


def resumed(cancel_runs: RedisCancelRuns, account: Account, wanted: CancelOptions, now_ms: int) -> Resumed | None:
    """Return the account's unfinished cancel run, if a person wants to go on with it.

    Raises:
        click.ClickException: there is none to go on with, or it is about other calls.
    """
    unfinished = cancel_runs.unfinished(account.sid)
    if unfinished is None:
        if wanted.goes_on:
            raise click.ClickException(
                f"there is nothing to continue for {account.sid}: no `callguard cancel` was broken off in the "
                "last 25 hours, and no incident of a running guard has stopped at max_cancellations. "
                "Leave --continue out to begin."
            )
        return None
    has_same_numbers = unfinished.numbers_digest == account.hasher.digest(wanted.selection.text_of_numbers())
    selection = wanted.selection.with_times(unfinished.since_ms, unfinished.before_ms)
    is_same = has_same_numbers and selection == wanted.selection
    say(_told(unfinished, now_ms))
    if not (_is_demanded(wanted, is_same=has_same_numbers) or _is_accepted(wanted, is_same=is_same)):
        return None
    cancel_run = cancel_runs.resume(account.sid, unfinished)
    if has_same_numbers and not is_same:
        say(f"It goes on with the times that it began with: {_times(selection)}.")
    # The run's numbers are not stored, only their digest. If it differs, only the run's own calls are meant.
    target = (
        SearchTarget(selection) if has_same_numbers else SearchTarget(Selection(), frozenset(cancel_run.known()))
    )
    return Resumed(cancel_run, target, unfinished.began_ms, frozenset(cancel_run.head(MAX_CALLS)))


def _told(unfinished: UnfinishedRun, now_ms: int) -> str:
    ago = span((now_ms - unfinished.began_ms) / 1000)
    return (
        f"A `callguard cancel` of {shown(unfinished.began_ms // 1000 * 1000)}, {ago} ago, was broken off:\n"
        f"  {unfinished.tally.summary(with_zeros=True)}"
    )


def _times(selection: Selection) -> str:
    bounds = (("--since", selection.since_ms), ("--before", selection.before_ms))
    return " ".join(f"{option} {shown(ms)}" for option, ms in bounds if ms is not None) or "any"


def _is_demanded(wanted: CancelOptions, *, is_same: bool) -> bool:
    if wanted.goes_on and not is_same and not wanted.selection.takes_every_call:
        raise click.UsageError(
            "it had other options. Give the same --from and --to as then (its times are known), or no options to "
            "go on with its own calls only; or leave --continue out to begin afresh"
        )
    return wanted.goes_on


def _is_accepted(wanted: CancelOptions, *, is_same: bool) -> bool:
    if wanted.yes or not is_same:
        say("This run begins afresh, and the old one is forgotten; `--continue` would go on with it.")
        return False
    return is_confirmed("Go on with it? (No: begin afresh)", default=True)


@dataclass(frozen=True, slots=True)
class CappedIncident:
    """An open incident that has stopped at `max_cancellations`, and asks a person."""

    parts: ConsoleParts
    account: Account
    snapshot: Snapshot
    incident: Incident

    @property
    def allowance(self) -> int:
        """How many more calls the guard cancels before it asks again."""
        return self.account.policy.max_cancellations

    def text(self) -> str:
        """Return in words how far the incident has come."""
        ago = span((self.snapshot.now_ms - self.incident.tripped_ms) / 1000)
        return (
            f"The guard's incident ({describe(self.incident.finding)}, {ago} ago) has stopped at "
            f"max_cancellations = {self.allowance:,}.\n"
            f"  {summary(self.incident)}\n"
            f"  {self.snapshot.cancellable:,} calls that it is after are still queued."
        )

    def go_on(self) -> None:
        """Let the guard continue to cancel.

        Raises:
            click.ClickException: the incident has changed meanwhile.
        """
        sid, generation = self.account.sid, self.incident.generation
        if not self.parts.control.go_on(self.account, Word(person()), generation):
            raise click.ClickException(f"The incident of {sid} has just changed; look at `callguard status`.")
        self.parts.drains.wake(sid, generation)
        say("The guard goes on cancelling. Watch it with `callguard status`; `callguard pause` stops it.")


def capped_incident(settings: Settings, account: Account) -> CappedIncident | None:
    """Return the account's incident that waits for a person; None if no guard runs, or none waits."""
    parts = guard_beside(settings)
    if parts is None:
        return None
    try:
        snapshot = parts.stores.tracker.snapshot(account.sid, parts.clock.now_ms())
        incident = parts.stores.incidents.current(account.sid) if snapshot.capped else None
    except StoreUnavailable as error:
        say(f"{error}. So the guard's own incident, if there is one, was not looked at.", console(stderr=True))
        return None
    return CappedIncident(parts, account, snapshot, incident) if incident is not None else None
