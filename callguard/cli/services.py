"""The services of a running guard, for commands that look at it or steer it."""

import os
from urllib.parse import quote

import click

from callguard.bootstrap import Services, build
from callguard.config.accounts import Account
from callguard.config.errors import ConfigurationError
from callguard.config.settings import Settings, load_settings
from callguard.ports import CallGuardError
from callguard.simulator import SANDBOX_ACCOUNT_SID, SANDBOX_AUTH_TOKEN


def connect() -> Services:
    """Return the services of the environment's settings, or end with a message that names what is wrong.

    Without CALLGUARD_REDIS_URL it looks for the Valkey of a `callguard up` in CALLGUARD_DATA_DIR; without an
    account, for a sandbox's.
    """
    try:
        return build(_settings())
    except (ConfigurationError, CallGuardError) as error:
        raise click.ClickException(str(error)) from error


def _settings() -> Settings:
    names = ("TWILIO_ACCOUNT_SID", "TWILIO_AUTH_TOKEN", "CALLGUARD_CONFIG")
    if any(os.environ.get(name) for name in names):
        return _with_embedded(load_settings(), ".")
    return _with_embedded(load_settings({**os.environ, **_SANDBOX}), "sandbox")


def _with_embedded(settings: Settings, folder: str) -> Settings:
    socket = settings.data_dir / folder / "valkey.sock"
    if settings.redis_url is None and socket.is_socket():
        return settings.with_redis_url(f"unix://{quote(str(socket.resolve()))}")
    return settings


_SANDBOX = {
    "TWILIO_ACCOUNT_SID": SANDBOX_ACCOUNT_SID,
    "TWILIO_AUTH_TOKEN": SANDBOX_AUTH_TOKEN,
    "CALLGUARD_PUBLIC_URL": "http://127.0.0.1",
}


def chosen_account(services: Services, account_sid: str | None) -> Account:
    """Return the account that is meant; it need not be named when there is only one."""
    if account_sid is None and len(services.accounts) == 1:
        return next(iter(services.accounts.values()))
    account = services.accounts.get(account_sid or "")
    if account is None:
        configured = ", ".join(services.accounts)
        raise click.UsageError(f"--account must be one of the configured accounts: {configured}")
    return account
