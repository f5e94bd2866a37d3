"""Suggested thresholds as TOML: printed, or written into the file of the settings."""

import difflib
import os
from collections.abc import Mapping, Sequence
from pathlib import Path

import click
import tomlkit
from tomlkit.items import AoT

from callguard.cli.questions import is_confirmed
from callguard.cli.wording import figure
from callguard.config.environment import CONFIG_FILE
from callguard.config.home import expanded
from callguard.domain.policy import Policy
from callguard.domain.suggestion import MARGIN, Suggestion


def as_toml(suggested: Sequence[Suggestion], policy: Policy) -> str:
    """Return the lines of a TOML table, each with what it rests on."""
    lines = [f"# {MARGIN:g} times the highest that the history came to; rates: the busiest hour and a quarter.\n"]
    lines.append(f"cps = {_number(policy.cps)}\n")
    for one in suggested:
        was = getattr(policy, one.setting)
        lines.append(f"{one.setting} = {_number(one.value)}  # highest {figure(one.reached)}; now {figure(was)}\n")
    return "".join(lines)


def write(suggested: Sequence[Suggestion], account_sid: str | None, *, yes: bool) -> None:
    """Put what is suggested into the settings' file, after showing the change and asking.

    The table is the account's where the file has one, else `[policy]`. Comments and layout stay.

    Raises:
        ClickException: there is no file, or it cannot be read or written.
    """
    path = _settings_file(os.environ)
    before = _read(path)
    after = changed(before, suggested, account_sid)
    if after == before:
        click.echo(f"{path} says so already.")
        return
    click.echo(
        "".join(difflib.unified_diff(before.splitlines(True), after.splitlines(True), str(path), "changed"))
    )
    if not yes and not is_confirmed(f"Write this into {path}?"):
        raise click.ClickException("nothing was written")
    _replace(path, after)
    click.echo(f"Written. Restart the guard's processes, web and workers, so that they read it: {path}")


def changed(text: str, suggested: Sequence[Suggestion], account_sid: str | None) -> str:
    """Return a TOML document with the suggested values."""
    document = tomlkit.parse(text)
    accounts = document.get("accounts")
    own = [one for one in accounts if one.get("sid") == account_sid] if isinstance(accounts, AoT) else []
    place = own[0] if own else document.setdefault("policy", tomlkit.table())
    for one in suggested:
        place[one.setting] = _number(one.value)
    return tomlkit.dumps(document)


def _settings_file(environ: Mapping[str, str]) -> Path:
    name = environ.get(CONFIG_FILE, "").strip()
    if not name:
        raise click.ClickException(
            f"--write needs a settings file: {CONFIG_FILE} names none. Without --write the table is printed; "
            f"put it under [policy] of a file, and set {CONFIG_FILE} to that."
        )
    return expanded(name, environ)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise click.ClickException(f"{CONFIG_FILE}: {path} cannot be read: {error.strerror}") from None


def _replace(path: Path, text: str) -> None:
    """Write beside it and rename: whoever reads meanwhile reads the old or the new file, whole."""
    path = path.resolve()  # a link stays a link
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    try:
        with open(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        beside.chmod(path.stat().st_mode & 0o7777)
        beside.replace(path)
    except OSError as error:
        beside.unlink(missing_ok=True)
        raise click.ClickException(f"{CONFIG_FILE}: {path} cannot be written: {error.strerror}") from None


def _number(value: float) -> int | float:
    return int(value) if float(value).is_integer() else value
