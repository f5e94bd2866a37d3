"""`pause`, `resume` and `reset`: the operator's way back."""

from datetime import timedelta

import click

from callguard.bootstrap import ConsoleParts
from callguard.cli.connect import chosen_account, connect, reported_store_errors
from callguard.cli.moments import Span
from callguard.cli.output import say
from callguard.cli.person import Reason, person
from callguard.config.accounts import Account
from callguard.domain.holds import moment
from callguard.domain.snapshot import Word
from callguard.errors import StoreUnavailable

MAX_PAUSE = timedelta(days=30)

_account = click.option("--account", "account_sid", metavar="AC…", help="Needed only if several are guarded.")
_reason = click.option("--reason", type=Reason(), default="", help="Why: shown to others, beside your name.")


@click.command()
@_account
@_reason
@click.option("--for", "span", type=Span(), metavar="SPAN", help="End by itself after 30m, 2h or 1d.")
def pause(account_sid: str | None, reason: str, span: timedelta | None) -> None:
    """Stop all tripping and cancelling for an account, before the next batch of requests.

    A drain at work reads the pause before each batch of requests, of at most 100; requests under way are not taken
    back. With --for the watcher resumes when the time is over, and tells people before it does. A new pause takes
    the place of an earlier one.
    """
    if span is not None and not timedelta(seconds=1) <= span <= MAX_PAUSE:
        raise click.BadParameter("should be from 1s to 30d", param_hint="--for")
    parts = connect()
    account = chosen_account(parts, account_sid)
    now_ms = parts.clock.now_ms()
    until_ms = now_ms + round(span.total_seconds() * 1000) if span is not None else 0
    word = Word(person(), reason, now_ms, until_ms)
    try:
        in_file = parts.control.pause(account, word)
    except StoreUnavailable as error:
        raise click.ClickException(_not_paused(parts, account, word, str(error))) from error
    until = f" until {moment(until_ms)}" if until_ms else ""
    say(f"{account.sid} is paused{until}{_why(reason)}.")
    by_itself = "the watcher resumes it then, or you do with" if until_ms else "until"
    say(f"Nothing trips and nothing is cancelled{';' if until_ms else ''} {by_itself} `callguard resume`.")
    say(_kept(parts, in_file=in_file))


@click.command()
@_account
@_reason
def resume(account_sid: str | None, reason: str) -> None:
    """Undo `pause`, and let a guard act again that observes since Redis has lost what was decided.

    A drain that was stopped goes on within seconds.
    """
    parts = connect()
    account = chosen_account(parts, account_sid)
    with reported_store_errors():
        snapshot = parts.stores.tracker.snapshot(account.sid, parts.clock.now_ms())
        was_held = parts.control.resume(account, Word(person(), reason), snapshot)
    if not was_held:
        say(f"{account.sid} was not paused; its guard is {snapshot.reported_state(account.policy).value}.")
        return
    say(f"{account.sid} is on watch again{_why(reason)}.")
    if snapshot.state.has_open_incident:
        say(f"Its open incident goes on: {snapshot.depth:,} calls are queued.")


@click.command()
@_account
@_reason
def reset(account_sid: str | None, reason: str) -> None:
    """Close the open incident now and arm the guard again; a drain at work stops."""
    parts = connect()
    account = chosen_account(parts, account_sid)
    with reported_store_errors():
        snapshot = parts.stores.tracker.snapshot(account.sid, parts.clock.now_ms())
        if not snapshot.state.has_open_incident:
            raise click.ClickException(f"{account.sid} has no open incident; there is nothing to reset.")
        done = parts.control.reset(account, Word(person(), reason or "by hand"), snapshot)
    if not done:
        raise click.ClickException(f"The incident of {account.sid} has just changed; look at `callguard status`.")
    say(f"The incident of {account.sid} is closed{_why(reason)}.")
    left = f"{snapshot.depth:,} calls are still queued; Twilio goes on dialling them."
    if snapshot.paused:
        say(f"The guard stays paused until `callguard resume`. {left}")
    else:
        say(f"The guard is armed again. {left}")


def _why(reason: str) -> str:
    return f", reason: {reason}" if reason else ""


def _not_paused(parts: ConsoleParts, account: Account, word: Word, error: str) -> str:
    """Return what to do if Redis takes no pause, which is left in a file for a watcher on this host."""
    if parts.stores.decisions.leave_pause(account.sid, word):
        return (
            f"{error}\nRedis has not taken the pause. It is left in {parts.stores.decisions.kept_at}: the watcher "
            "of that folder takes it from there as soon as Redis can be written. To stop the guard at once, end "
            "its workers."
        )
    return f"{error}\nThe guard is NOT paused. Try again; to stop it at once, end its workers."


def _kept(parts: ConsoleParts, *, in_file: bool) -> str:
    """Say where the pause is kept, and so which losses would make the guard forget it."""
    try:
        durability = parts.stores.durability()
    except StoreUnavailable as error:
        return f"Redis has taken it; how far it is kept could not be asked ({error})."
    places = ["in Redis"]
    if durability.replicas:
        places.append(f"on {durability.on_replicas} of {durability.replicas} replicas")
    places += ["on its disk"] if durability.on_disk else []
    places += [f"in {parts.stores.decisions.kept_at}"] if in_file else []
    text = f"It is kept {', '.join(places)}, and in the memory of the guard's processes."
    if durability.is_confirmed:
        return text
    return f"{text}\nNot every replica and disk of Redis has confirmed it within a second."
