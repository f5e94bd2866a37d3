"""`backtest --suggest`: thresholds that fit the account, as a TOML table, and into the file."""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import Any

import click

from callguard.cli.backtest import threshold_file
from callguard.cli.backtest.report import Report
from callguard.cli.output import say
from callguard.cli.person import is_confirmed
from callguard.config.environment import expanded
from callguard.domain.policy import Policy
from callguard.domain.suggestion import LeftOut, Suggested, Suggestion
from callguard.domain.wording import figure

_CONFIG = "CALLGUARD_CONFIG"
_QUEUE_SETTINGS = ("spike_rate", "spike_burst", "max_backlog", "max_drain_seconds")
_WHAT = {
    "spike_rate": "calls a second in the busiest 10 minutes",
    "spike_burst": "calls above spike_rate",
    "initiated_rate": "dialled a second in the busiest 10 minutes",
    "initiated_burst": "dialled above initiated_rate",
    "plateau_seconds": "seconds at 90 % of cps",
    "max_backlog": "calls queued",
    "max_drain_seconds": "seconds of queue",
    "repeat_limit": "calls to one number in repeat_window_seconds",
}
_NOTHING_SEEN = "the log does not show it; keep what is set"


@dataclass(frozen=True, slots=True)
class Offer:
    """What is suggested, from which report, for which account."""

    report: Report
    suggestion: Suggestion
    account_sid: str

    @property
    def values(self) -> dict[str, float | int | list[str]]:
        """The values to write, by policy key, as far as the log shows them."""
        values: dict[str, float | int | list[str]] = {"cps": _plain(self.report.policy.cps)}
        values |= {one.setting: _plain(one.value) for one in self._known if one.value is not None}
        if self.suggestion.exempt and "repeat_exempt" in {field.name for field in fields(Policy)}:
            listed = getattr(self.report.policy, "repeat_exempt", ())
            values["repeat_exempt"] = [*listed, *(n for n in self._exempt if n not in listed)]
        return values

    @property
    def rests_on_something(self) -> bool:
        """Whether at least one threshold follows from the log."""
        return len(self.values) > 1

    @property
    def _known(self) -> Iterator[Suggested]:
        return (one for one in self.suggestion.settings if self.shows(one))

    @property
    def _exempt(self) -> list[str]:
        return [f"+{digits}" for digits in self.suggestion.exempt]

    def shows(self, one: Suggested) -> bool:
        """Whether the log shows the key's figure: without creation times nothing is known of the queue."""
        return one.value is not None and (self.report.shows_creation or one.setting not in _QUEUE_SETTINGS)

    def lines(self) -> Iterator[str]:
        """Yield the table, ready to be pasted below `[policy]` or the account's `[[accounts]]`."""
        yield f"cps = {_toml(self.report.policy.cps)}  # what this rests on: is it so in Twilio's Console?"
        for one in self.suggestion.settings:
            if self.shows(one):
                yield f"{one.setting} = {_toml(one.value or 0)}  # {_basis(one)}"
            else:
                yield f"# {one.setting}: {_NOTHING_SEEN} ({_toml(getattr(self.report.policy, one.setting))})"
        if "repeat_exempt" in self.values:
            yield f"repeat_exempt = {json.dumps(self.values['repeat_exempt'])}  # called often on most days"


def show_offer(offer: Offer) -> None:
    """Print the days that were left out, and the table."""
    for one in offer.suggestion.left_out:
        say(_left_out(one))
    if offer.suggestion.left_out:
        say("If such a day is ordinary for you, say so: --ordinary 2026-11-14 (may be repeated).\n")
    if offer.suggestion.reason or not offer.rests_on_something:
        reason = offer.suggestion.reason or "the log shows neither a queue nor calls that were dialled"
        raise click.ClickException(f"no thresholds are suggested: {reason}")
    click.echo(f"# {offer.account_sid or 'the account'}: from {offer.suggestion.days} ordinary days")
    for line in offer.lines():
        click.echo(line)


def offer_json(offer: Offer) -> dict[str, Any]:
    """Return the offer as JSON has it."""
    found = offer.suggestion
    return {
        "account": offer.account_sid or None,
        "days": found.days,
        "reason": found.reason or None,
        "left_out": [
            {"day": str(one.day), "setting": one.setting, "figure": one.figure, "usual": one.usual}
            for one in found.left_out
        ],
        "values": {} if found.reason or not offer.rests_on_something else offer.values,
        "highest": {one.setting: one.highest for one in found.settings if offer.shows(one)},
    }


def write_offer(offer: Offer, *, yes: bool) -> None:
    """Show the change to the file as a diff, ask, and write it.

    Raises:
        click.ClickException: there is no file, or it cannot be changed; it says what to do.
    """
    name = os.environ.get(_CONFIG, "").strip()
    if not name:
        raise click.ClickException(
            f"--write needs {_CONFIG}, which names a TOML file. Put the lines above below [policy] there, "
            "or set them as CALLGUARD_POLICY__ variables, such as CALLGUARD_POLICY__SPIKE_BURST"
        )
    path = expanded(name, os.environ)
    try:
        before = threshold_file.read(path)
        after = threshold_file.changed(before, offer.account_sid, offer.values)
        if not (shown := threshold_file.difference(path, before, after)):
            say(f"{path} has these values already.")
            return
        click.echo(f"\n{shown}")
        if not yes and not is_confirmed(f"Write this to {path}?"):
            say("Nothing was written.")
            return
        threshold_file.write(path, before, after)
    except threshold_file.FileError as error:
        raise click.ClickException(f"{path}: {error}") from None
    say(f"Written to {path}. Restart the guard, so that it takes effect.")


def _basis(one: Suggested) -> str:
    day = datetime.fromtimestamp(one.at_ms / 1000, UTC)
    return f"highest: {figure(one.highest)} {_WHAT[one.setting]}, {day:%Y-%m-%d}"


def _left_out(one: LeftOut) -> str:
    return (
        f"Left out {one.day}: {figure(one.figure)} {_WHAT[one.setting]}; "
        f"on the median day {figure(one.usual)} ({one.setting})."
    )


def _plain(value: float | None) -> float | int:
    return int(value) if value is not None and float(value).is_integer() else value or 0


def _toml(value: float) -> str:
    return str(_plain(value))
