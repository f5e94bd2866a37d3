"""The options of `callguard cancel`."""

import re
import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime

import click

from callguard.config.policy_texts import number
from callguard.domain.selection import Selection

_OF_USE = {
    "CALLGUARD_CONFIG",
    "CALLGUARD_DATA_DIR",
    "CALLGUARD_TWILIO_API_URL",
    "CALLGUARD_POLICY__NEVER_CANCEL",
    "CALLGUARD_POLICY__CPS",
}


@dataclass(frozen=True, slots=True)
class CancelOptions:
    """The options, read and checked.

    Attributes:
        selection: the calls that are meant.
        dry_run: only look.
        goes_on: take up what was broken off.
        yes: do not ask.
        shows_numbers: show numbers in full.
        price: US dollars for a call.
        cps: calls per second, if not as configured.
    """

    selection: Selection
    dry_run: bool
    goes_on: bool
    yes: bool
    shows_numbers: bool
    price: float
    cps: float | None


def selection_of(
    senders: tuple[str, ...], receivers: tuple[str, ...], since: datetime | None, before: datetime | None
) -> Selection:
    """Return the calls that the options mean.

    Raises:
        click.UsageError: no call can match.
    """
    if since is not None and before is not None and since >= before:
        raise click.UsageError(f"--since ({shown(_ms(since))}) must lie before --before ({shown(_ms(before))})")
    return Selection(
        tuple(_checked("--from", text) for text in dict.fromkeys(senders)),
        tuple(_checked("--to", text) for text in dict.fromkeys(receivers)),
        _ms(since) if since is not None else None,
        _ms(before) if before is not None else None,
    )


def resuming_command(account_sid: str, wanted: CancelOptions, *, with_numbers: bool) -> str:
    """Return the command line that continues the run, without numbers if the output may be kept."""
    selection = wanted.selection
    words = ["callguard", "cancel", "--account", account_sid]
    if with_numbers:
        words += [word for text in selection.senders for word in ("--from", text)]
        words += [word for text in selection.receivers for word in ("--to", text)]
    if with_numbers or not (selection.senders or selection.receivers):
        words += ["--since", shown(selection.since_ms)] if selection.since_ms is not None else []
        words += ["--before", shown(selection.before_ms)] if selection.before_ms is not None else []
    words += ["--cps", f"{wanted.cps:g}"] if wanted.cps is not None else []
    return shlex.join([*words, "--continue"])


def way_round(problems: str, environ: Mapping[str, str]) -> str:
    """Return how to run without the wrong variables that this command does not need; empty if there are none."""
    named = set(re.findall(r"\bCALLGUARD_\w+", problems)) & environ.keys()
    if not (useless := sorted(named - _OF_USE)):
        return ""
    return f"\nNot needed here, so: `env {' '.join(f'-u {name}' for name in useless)} callguard cancel …`"


def shown(moment_ms: int) -> str:
    """Return a moment so that `--since` reads it again: `2026-11-21T13:05:00Z`."""
    moment = datetime.fromtimestamp(moment_ms / 1000, UTC)
    unit = "milliseconds" if moment_ms % 1000 else "seconds"
    return moment.isoformat(timespec=unit).replace("+00:00", "Z")


def _ms(moment: datetime) -> int:
    return round(moment.timestamp() * 1000)


def _checked(option: str, text: str) -> str:
    try:
        if text == "*":
            raise ValueError(f"means every call; leave {option} out for that")
        return number(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} {error}", param_hint=option) from error
