"""`cancel`: the emergency tool for the first minute, before anything is set up."""

import os
import sys
from datetime import datetime

import click

from callguard.cli.cancel.options import CancelOptions, selection_of, shown, way_round
from callguard.cli.cancel.resume import CappedIncident, capped_incident
from callguard.cli.cancel.session import CancelSession
from callguard.cli.connect import account_among, own_settings
from callguard.cli.moments import PastMoment
from callguard.cli.output import console, say
from callguard.cli.person import is_confirmed
from callguard.clock import SystemClock
from callguard.config.accounts import Account
from callguard.config.errors import ConfigurationError
from callguard.config.settings import Settings
from callguard.errors import CallGuardError
from callguard.logs import configure_logging

DEFAULT_PRICE = 0.014


@click.command()
@click.option("--account", "account_sid", metavar="AC…", help="Needed only if several are configured.")
@click.option(
    "--from",
    "senders",
    multiple=True,
    metavar="NUMBER",
    help="Only calls from it; +1555* is a prefix.",
)
@click.option("--to", "receivers", multiple=True, metavar="NUMBER", help="Only calls to it, likewise.")
@click.option("--since", type=PastMoment(), metavar="TIME", help="Only calls created then or later.")
@click.option("--before", type=PastMoment(), metavar="TIME", help="Only calls created before then.")
@click.option(
    "--status",
    type=click.Choice(["queued"]),
    default="queued",
    show_default=True,
    help="Only queued calls can be cancelled here; whether people are cut off is a matter of policy.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be cancelled, and stop.")
@click.option("--continue", "goes_on", is_flag=True, help="Go on with what was broken off (see above).")
@click.option("--yes", is_flag=True, help="Do not ask. Needed where there is no terminal.")
@click.option("--show-numbers", is_flag=True, help="Show From numbers in full, not as +1555***01.")
@click.option(
    "--price",
    type=click.FloatRange(0),
    default=DEFAULT_PRICE,
    show_default=True,
    metavar="USD",
    help="What a call costs, for the estimate. The default is Twilio's list price of one minute to the US.",
)
@click.option(
    "--cps",
    type=click.FloatRange(0, 1000, min_open=True),
    metavar="N",
    help="Calls per second as set in Twilio's Console, for the forecast.  [default: the policy's cps, else 1]",
)
def cancel(
    account_sid: str | None,
    senders: tuple[str, ...],
    receivers: tuple[str, ...],
    since: datetime | None,
    before: datetime | None,
    status: str,  # noqa: ARG001  (there is one choice)
    dry_run: bool,
    goes_on: bool,
    yes: bool,
    show_numbers: bool,
    price: float,
    cps: float | None,
) -> None:
    """Cancel what is queued at Twilio, now, with nothing but TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN.

    \b
      callguard cancel --dry-run                        only look
      callguard cancel                                  all that is queued
      callguard cancel --from +15551230000 --since 10m  only the culprit's calls

    Stop the script first, or revoke its API key. This shows what it found and asks. Then it cancels, the oldest
    call first, also what is created meanwhile, until two readings of Twilio's list in a row show no matching
    call. Only Status=canceled is sent, so nobody who is talking is cut off, and only to calls that an API request
    has made. Calls to emergency numbers are left alone, and so are numbers of the policy's `never_cancel`;
    announced campaigns are not.

    TIME is the time of creation: 14:05 or 14:05:30 (the latest one), 30s, 10m or 1.5h (ago), or
    2026-11-21T14:05, in this machine's zone; or with a zone, 2026-11-21T13:05Z. How it was understood is shown in
    UTC.

    Ctrl-C stops at any time. What was done is kept under CALLGUARD_DATA_DIR (no number is), also after a kill or
    a lost terminal, and `--continue` goes on with it: with its own calls, and with the same options also with
    calls that are new. Where a running guard's incident has stopped at `max_cancellations`, `--continue` lets that
    guard go on. A Twilio that answers nothing for 90 s ends it too; what is left will ring. This command is not
    stopped by `callguard pause`, which is for the guard.

    Exits with 0 when nothing that matches is left; 1 when something is, when nothing matched from the beginning
    and other calls are queued, or on an error; 2 for wrong options; 128 plus the signal's number when it was
    stopped (130 after Ctrl-C).
    """
    wanted = CancelOptions(
        selection_of(senders, receivers, since, before), dry_run, goes_on, yes, show_numbers, price, cps
    )
    _demand_sense(wanted)
    try:
        settings = own_settings()
        account = account_among(settings.accounts, account_sid)
        configure_logging(settings.log_level if settings.log_level != "INFO" else "WARNING", settings.secrets())
        sys.exit(_run(settings, account, wanted))
    except ConfigurationError as error:
        raise click.ClickException(f"{error}{way_round(str(error), os.environ)}") from error
    except CallGuardError as error:
        raise click.ClickException(str(error)) from error


def _run(settings: Settings, account: Account, wanted: CancelOptions) -> int:
    selection = wanted.selection
    for option, moment_ms in (("--since", selection.since_ms), ("--before", selection.before_ms)):
        if moment_ms is not None:
            say(f"{option} is understood as {shown(moment_ms)}.")
    if selection.begins_after(SystemClock().now_ms()):
        say("That --since lies in the future: nothing that is queued by now can match.", console(stderr=True))
    session = CancelSession(settings, account, wanted, console())
    if wanted.dry_run:
        return session.look()
    capped = capped_incident(settings, account) if wanted.goes_on and selection.takes_every_call else None
    if capped is None:
        return session.run()
    has_own = session.has_unfinished()
    went_on = _guard_goes_on(capped, wanted, has_own=has_own)
    return session.run() if has_own else int(not went_on)


def _guard_goes_on(capped: CappedIncident, wanted: CancelOptions, *, has_own: bool) -> bool:
    """Continue a guard's incident that has stopped at `max_cancellations`, if the person wants that."""
    say(capped.text())
    # `--yes` agrees to one thing only: where this command has a broken-off run, to continuing that.
    if has_own if wanted.yes else not is_confirmed(f"Let it cancel up to {capped.allowance:,} more?"):
        say("The guard's incident stays as it is.")
        return False
    capped.go_on()
    return True


def _demand_sense(wanted: CancelOptions) -> None:
    if wanted.dry_run and wanted.goes_on:
        raise click.UsageError("--dry-run cancels nothing and --continue goes on cancelling; give one of them")
    if not (wanted.dry_run or wanted.yes or sys.stdin.isatty()):
        raise click.UsageError(
            "there is no terminal to ask on. Add --yes to cancel without being asked, or --dry-run to look only"
        )
