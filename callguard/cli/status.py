"""`status`: one account a line."""

import click
from rich.console import Console
from rich.table import Table

from callguard.bootstrap import Services
from callguard.cli.services import connect
from callguard.config.accounts import Account
from callguard.domain.incidents import Incident, Outcome
from callguard.guard.guard import describe
from callguard.ports import StoreUnavailable


@click.command()
def status() -> None:
    """Show every account: state, queue, drain time, and its open or last incident."""
    services = connect()
    table = Table("account", "state", "queued", "phantom slots", "drain", "in/s", "out/s", "incident", box=None)
    try:
        for account in services.accounts.values():
            table.add_row(*_row(services, account))
    except StoreUnavailable as error:
        raise click.ClickException(str(error)) from error
    Console().print(table)


def _row(services: Services, account: Account) -> list[str]:
    reading = services.readings.read(account.sid, account.policy, services.clock.now_ms())
    snapshot = reading.snapshot
    incident = services.incidents.current(account.sid)
    return [
        account.sid,
        reading.state.value,
        f"{snapshot.depth:,}",
        f"{snapshot.phantom_slots(account.policy.cps):,}",
        f"{snapshot.drain_seconds:,.0f} s",
        f"{reading.queued_rate:.1f}",
        f"{reading.initiated_rate:.1f}",
        summary(incident) if incident else "none open",
    ]


def summary(incident: Incident) -> str:
    """Return an incident in one line: its rule with figures, then what became of its calls."""
    counts = [f"{incident.count(outcome):,} {outcome.value}" for outcome in Outcome if incident.count(outcome)]
    counts += [f"{incident.spared:,} spared"] if incident.spared else []
    return f"{describe(incident.finding)}; {incident.found:,} found: " + ", ".join(
        [*counts, f"{incident.remaining:,} remaining"]
    )
