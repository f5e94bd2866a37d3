"""The parts of a running guard, for commands that look at it or steer it."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import click

from callguard.bootstrap import ConsoleParts, build_console
from callguard.cli.output import say
from callguard.cli.sandbox import loopback_excepted, sandbox_settings, where_published
from callguard.config.accounts import Account
from callguard.config.errors import ConfigurationError
from callguard.config.settings import Settings, load_settings
from callguard.errors import CallGuardError, StoreUnavailable

NO_PUBLIC_URL = "http://not-set.invalid"
"""Stands in for a `public_url` that neither environment nor file sets: commands check no signature."""

_CONNECT_SECONDS = 1.0


def has_account(environ: Mapping[str, str]) -> bool:
    """Return whether the environment names an account; without one it is the sandbox that is meant."""
    names = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "CALLGUARD_CONFIG")
    return any(environ.get(name, "").strip() for name in names)


def connect() -> ConsoleParts:
    """Return the parts of the environment's settings, or end with a message that names what is wrong.

    Without `redis_url` it looks for the Valkey of a `callguard up` in `data_dir`; without an account, for that of
    a sandbox, and says so.
    """
    try:
        return build_console(_connected_settings())
    except (ConfigurationError, CallGuardError) as error:
        raise click.ClickException(str(error)) from error


@contextmanager
def reported_store_errors() -> Iterator[None]:
    """End the command with a message when Redis does not answer."""
    try:
        yield
    except StoreUnavailable as error:
        raise click.ClickException(f"{error}. Is that CallGuard still running? Then try again.") from error


def own_settings() -> Settings:
    """Return the environment's settings, for a command that needs no running guard.

    Where they name no account and a sandbox runs, they are the sandbox's, and it is said.

    Raises:
        ConfigurationError: names everything that is wrong; that there is no account is wrong too.
    """
    return _sandbox() or settings_of(os.environ)


def settings_of(environ: Mapping[str, str]) -> Settings:
    """Return an environment's settings; of all that the guard needs, only `public_url` need not be set.

    Raises:
        ConfigurationError: names everything that is wrong.
    """
    return load_settings(environ, stand_ins={"public_url": NO_PUBLIC_URL})


def _connected_settings() -> Settings:
    if (sandbox := _sandbox()) is not None:
        return sandbox
    if not has_account(os.environ):
        raise _not_found(_sandbox_folder())
    settings = settings_of(os.environ)
    if settings.redis_url is not None:
        return settings
    if (url := embedded_url(settings.data_dir)) is None:
        raise _not_found(settings.data_dir)
    return settings.with_redis_url(url)


def _sandbox() -> Settings | None:
    """Return the settings of the sandbox that is meant and runs, if there is one."""
    if has_account(os.environ):
        return None
    folder = _sandbox_folder()
    url, published = embedded_url(folder), where_published(folder)
    if url is None or published is None:
        return None
    say(f"sandbox: {folder}")
    os.environ.update(loopback_excepted(os.environ))
    settings = load_settings({**os.environ, **sandbox_settings(os.environ), **published})
    return settings.model_copy(update={"redis_url": url, "data_dir": folder})


def _sandbox_folder() -> Path:
    return settings_of({**os.environ, **sandbox_settings(os.environ)}).data_dir / "sandbox"


def _not_found(folder: Path) -> click.ClickException:
    text = (
        f"no running CallGuard found at {folder / 'valkey.sock'}.\n"
        "Start one with `callguard up`; if one runs, set the same CALLGUARD_DATA_DIR, CALLGUARD_REDIS_URL and "
        "TWILIO_* settings as it has."
    )
    if has_account(os.environ) and embedded_url(_sandbox_folder()) is not None:
        text += (
            f"\nA sandbox runs in {_sandbox_folder()}. To look at that one, unset TWILIO_ACCOUNT_SID, "
            "TWILIO_AUTH_TOKEN and CALLGUARD_CONFIG."
        )
    return click.ClickException(text)


def guard_beside(settings: Settings) -> ConsoleParts | None:
    """Return the parts of the guard that has these settings, for a command that works without one too.

    None where no Redis is set and no `callguard up` runs on the data directory.
    """
    url = settings.redis_url or embedded_url(settings.data_dir)
    return build_console(settings.with_redis_url(url)) if url is not None else None


def embedded_url(folder: Path) -> str | None:
    """Return where the Valkey of a `callguard up` in `folder` is; None if none runs there."""
    # Where the folder's path is too long for a socket, a link leads to a shorter one: only that is connected to.
    path = (folder / "valkey.sock").resolve()
    return f"unix://{quote(str(path))}" if _answers(path) else None


def _answers(path: Path) -> bool:
    with socket.socket(socket.AF_UNIX) as probe:
        probe.settimeout(_CONNECT_SECONDS)
        try:
            probe.connect(os.fsencode(path))
        except OSError:
            return False
        return True


def chosen_account(parts: ConsoleParts, account_sid: str | None) -> Account:
    """Return the account that is meant; it need not be named when there is only one."""
    return account_among(parts.accounts, account_sid)


def account_among(accounts: Mapping[str, Account], account_sid: str | None) -> Account:
    """Return the account of that SID; it need not be named when there is only one."""
    if account_sid is None and len(accounts) == 1:
        return next(iter(accounts.values()))
    account = accounts.get(account_sid or "")
    if account is None:
        raise click.UsageError(f"the account must be one of the configured ones: {', '.join(accounts)}")
    return account
