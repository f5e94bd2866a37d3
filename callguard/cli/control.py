"""`pause`, `resume` and `reset`: the operator's way back."""

import click

from callguard.cli.services import chosen_account, connect
from callguard.ports import StoreUnavailable

_account = click.option("--account", "account_sid", metavar="AC…", help="Needed only if several are guarded.")
_reason = click.option("--reason", default="by hand", show_default=True, help="Kept with the incident.")


@click.command()
@_account
@_reason
def pause(account_sid: str | None, reason: str) -> None:
    """Stop all tripping and cancelling for an account, within a request.

    A drain that is at work stops before its next cancel.
    """
    services = connect()
    account = chosen_account(services, account_sid)
    try:
        services.incidents.pause(account.sid, reason, services.clock.now_ms())
    except StoreUnavailable as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{account.sid} is paused: nothing trips and nothing is cancelled until `callguard resume`.")


@click.command()
@_account
def resume(account_sid: str | None) -> None:
    """Undo `pause`. A drain that was stopped goes on within seconds."""
    services = connect()
    account = chosen_account(services, account_sid)
    try:
        services.incidents.resume(account.sid)
    except StoreUnavailable as error:
        raise click.ClickException(str(error)) from error
    click.echo(f"{account.sid} is on watch again.")


@click.command()
@_account
@_reason
def reset(account_sid: str | None, reason: str) -> None:
    """Close the open incident now and arm the guard again; a drain at work stops."""
    services = connect()
    account = chosen_account(services, account_sid)
    now_ms = services.clock.now_ms()
    try:
        snapshot = services.tracker.snapshot(account.sid, now_ms)
        done = services.incidents.rearm(account.sid, snapshot.generation, reason, now_ms, force=True)
    except StoreUnavailable as error:
        raise click.ClickException(str(error)) from error
    if not done:
        raise click.ClickException(f"{account.sid} has no open incident; there is nothing to reset.")
    click.echo(f"{account.sid} is armed again; {snapshot.depth} calls are still queued.")
