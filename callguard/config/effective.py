"""The settings that are in force, for people to read: nothing in them is secret."""

import logging
from collections.abc import Iterator
from enum import Enum
from typing import Any

from callguard.config.accounts import Account
from callguard.config.api_keys import ApiKey
from callguard.config.environment import variable
from callguard.config.policies import POLICY_KEYS, env_name
from callguard.config.settings import Settings, key_of, setting_keys
from callguard.config.urls import MASK, host_only, is_loopback, masked_url
from callguard.domain.addresses import masked
from callguard.domain.policy import Policy, contradictions

NOTHING = "-"
"""Stands for a setting that is not set."""


def effective(settings: Settings) -> list[tuple[str, str]]:
    """Return name and value of every setting, secrets masked.

    An account shows what differs from the policy of all.
    """
    keys = setting_keys()
    names = {key_of(name, field): name for name, field in Settings.model_fields.items()}
    lines = [(variable(key), _shown(key, getattr(settings, names[key]))) for key in keys]
    lines += [(env_name(key), _policy_value(settings.policy, key)) for key in POLICY_KEYS]
    for account in settings.accounts.values():
        lines += _account_lines(account, settings.policy)
    return lines


def log_settings(settings: Settings, logger: logging.Logger) -> None:
    """Log the settings in force, and a warning for what is allowed but unwise."""
    for name, value in effective(settings):
        logger.info("%s=%s", name, value)
    for account in settings.accounts.values():
        for text in contradictions(account.policy):
            logger.warning("account %s: %s", account.sid, text)
    url = settings.public_url
    if url.startswith("http:") and not is_loopback(url):
        logger.warning(
            "CALLGUARD_PUBLIC_URL=%s is not https: anybody on the network path can read the callbacks",
            masked_url(url),
        )


def _shown(key: str, value: Any) -> str:
    if value is None or value == ():
        return NOTHING
    if key == "metrics_token":
        return MASK
    if key == "notify_urls":
        return ",".join(map(host_only, value))
    if isinstance(value, tuple):
        return ",".join(f"{k.name}:{k.role.value}:{MASK}" for k in value if isinstance(k, ApiKey))
    return masked_url(str(value)) if key.endswith("url") else str(value)


def _account_lines(account: Account, default: Policy) -> Iterator[tuple[str, str]]:
    yield f"account {account.sid} auth_tokens", ",".join(MASK for _ in account.auth_tokens)
    if account.api_key:
        yield f"account {account.sid} api_key", f"{account.api_key}:{MASK}"
    if account.api_url:
        yield f"account {account.sid} twilio_api_url", account.api_url
    if account.shared_keys:
        shared = ",".join(f"{key.id}:{key.algorithm.value}:{MASK}" for key in account.shared_keys)
        yield f"account {account.sid} shared_keys", shared
    for key in POLICY_KEYS:
        if getattr(account.policy, key) != getattr(default, key):
            yield f"account {account.sid} {key}", _policy_value(account.policy, key)


def _policy_value(policy: Policy, key: str) -> str:
    value = getattr(policy, key)
    if isinstance(value, tuple):
        return ",".join(_masked_entry(entry) for entry in value) or NOTHING
    if isinstance(value, Enum):
        return str(value.value)
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return masked_url(value) or NOTHING
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)


def _masked_entry(entry: str) -> str:
    """A short prefix names no one; a whole number, or nearly one, does."""
    return entry if entry.endswith("*") and len(entry) <= len("+1555*") else masked(entry)
