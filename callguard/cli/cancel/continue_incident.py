"""`callguard cancel --continue` where a guard's own incident has stopped at its cap."""

from dataclasses import dataclass

import click

from callguard.bootstrap import ConsoleParts
from callguard.cli.connect import guard_beside
from callguard.cli.output import console, say
from callguard.cli.person import person
from callguard.config.accounts import Account
from callguard.config.settings import Settings
from callguard.detect.guard import describe
from callguard.domain.incidents import Incident, summary
from callguard.domain.snapshot import Snapshot, Word
from callguard.domain.wording import span
from callguard.errors import StoreUnavailable


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
        """Return what is the case, in words."""
        ago = span((self.snapshot.now_ms - self.incident.tripped_ms) / 1000)
        return (
            f"The guard's incident ({describe(self.incident.finding)}, {ago} ago) has stopped at "
            f"max_cancellations = {self.allowance:,}.\n"
            f"  {summary(self.incident)}\n"
            f"  {self.snapshot.cancellable:,} calls that it is after are still queued."
        )

    def go_on(self) -> None:
        """Let the guard cancel on.

        Raises:
            click.ClickException: the incident has changed meanwhile.
        """
        sid, generation = self.account.sid, self.incident.generation
        if not self.parts.control.go_on(self.account, Word(person()), generation):
            raise click.ClickException(f"The incident of {sid} has just changed; look at `callguard status`.")
        self.parts.drains.wake(sid, generation)
        say("The guard goes on cancelling. Watch it with `callguard status`; `callguard pause` stops it.")


def capped_incident(settings: Settings, account: Account) -> CappedIncident | None:
    """Return the account's incident that waits for a person; None where no guard runs, or none does wait."""
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
