"""`pause`, `resume` and `reset`: the operator's way back."""

import click

from callguard.cli.services import chosen_account, connect, reported_store_errors

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
    with reported_store_errors():
        services.incidents.pause(account.sid, reason, services.clock.now_ms())
    click.echo(f"{account.sid} is paused, reason: {reason}.")
    click.echo("Nothing trips and nothing is cancelled until `callguard resume`.")


@click.command()
@_account
def resume(account_sid: str | None) -> None:
    """Undo `pause`. A drain that was stopped goes on within seconds."""
    services = connect()
    account = chosen_account(services, account_sid)
    with reported_store_errors():
        snapshot = services.tracker.snapshot(account.sid, services.clock.now_ms())
        services.incidents.resume(account.sid)
    if not snapshot.paused:
        click.echo(f"{account.sid} was not paused; its guard is {snapshot.reported_state(account.policy).value}.")
        return
    click.echo(f"{account.sid} is on watch again.")
    if snapshot.state.has_open_incident:
        click.echo(f"Its open incident goes on: {snapshot.depth:,} calls are queued.")


@click.command()
@_account
@_reason
def reset(account_sid: str | None, reason: str) -> None:
    """Close the open incident now and arm the guard again; a drain at work stops."""
    services = connect()
    account = chosen_account(services, account_sid)
    now_ms = services.clock.now_ms()
    with reported_store_errors():
        snapshot = services.tracker.snapshot(account.sid, now_ms)
        if not snapshot.state.has_open_incident:
            raise click.ClickException(f"{account.sid} has no open incident; there is nothing to reset.")
        done = services.incidents.rearm(account.sid, snapshot.generation, reason, now_ms, force=True)
    if not done:
        raise click.ClickException(f"The incident of {account.sid} has just changed; look at `callguard status`.")
    click.echo(f"The incident of {account.sid} is closed, reason: {reason}.")
    left = f"{snapshot.depth:,} calls are still queued; Twilio goes on dialling them."
    if snapshot.paused:
        click.echo(f"The guard stays paused until `callguard resume`. {left}")
    else:
        click.echo(f"The guard is armed again. {left}")
