"""The services of a running guard, for commands that look at it or steer it."""

import os
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import quote

import click

from callguard.bootstrap import Services, build
from callguard.cli.sandbox import sandbox_settings
from callguard.config.accounts import Account
from callguard.config.errors import ConfigurationError
from callguard.config.settings import Settings, load_settings
from callguard.ports import CallGuardError, StoreUnavailable

# Commands check no signature, so they need no address that Twilio could reach.
NO_PUBLIC_URL = "http://127.0.0.1"
_CONNECT_SECONDS = 1.0


def has_account(environ: Mapping[str, str]) -> bool:
    """Return whether the environment names an account; without one it is the sandbox that is meant."""
    names = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "CALLGUARD_CONFIG")
    return any(environ.get(name, "").strip() for name in names)


def connect() -> Services:
    """Return the services of the environment's settings, or end with a message that names what is wrong.

    Without CALLGUARD_REDIS_URL it looks for the Valkey of a `callguard up` in CALLGUARD_DATA_DIR; without an
    account, for that of a sandbox, and says so.
    """
    try:
        return build(_settings())
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

    Raises:
        ConfigurationError: names everything that is wrong; that there is no account is wrong too.
    """
    return load_settings(_without_public_url())


def _without_public_url() -> dict[str, str]:
    given = os.environ.get("CALLGUARD_PUBLIC_URL", "").strip()
    return {**os.environ, "CALLGUARD_PUBLIC_URL": given or NO_PUBLIC_URL}


def _settings() -> Settings:
    environ = _without_public_url()
    if has_account(environ):
        settings = load_settings(environ)
        return settings if settings.redis_url is not None else _with_embedded(settings, settings.data_dir)
    settings = load_settings(environ | sandbox_settings(environ))
    folder = settings.data_dir / "sandbox"
    connected = _with_embedded(settings, folder)
    click.echo(f"sandbox: {folder}")
    return connected.model_copy(update={"data_dir": folder})


def _with_embedded(settings: Settings, folder: Path) -> Settings:
    url = embedded_url(folder)
    if url is None:
        raise click.ClickException(
            f"no running CallGuard found at {folder / 'valkey.sock'}.\n"
            "Start one with `callguard up`; if one runs, set the same CALLGUARD_DATA_DIR, CALLGUARD_REDIS_URL and "
            "TWILIO_* settings as it has."
        )
    return settings.with_redis_url(url)


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


def chosen_account(services: Services, account_sid: str | None) -> Account:
    """Return the account that is meant; it need not be named when there is only one."""
    return account_among(services.accounts, account_sid)


def account_among(accounts: Mapping[str, Account], account_sid: str | None) -> Account:
    """Return the account of that SID; it need not be named when there is only one."""
    if account_sid is None and len(accounts) == 1:
        return next(iter(accounts.values()))
    account = accounts.get(account_sid or "")
    if account is None:
        raise click.UsageError(f"the account must be one of the configured ones: {', '.join(accounts)}")
    return account
