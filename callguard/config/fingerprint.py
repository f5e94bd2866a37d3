"""Digests of the settings: enough to see that two processes differ, and in what."""

import hmac
from collections.abc import Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any

from callguard import __version__
from callguard.config.settings import Settings, key_of
from callguard.domain.policy import Policy
from callguard.domain.processes import ACCOUNTS, POLICY, Fingerprint

OF_ONE_MACHINE = ("data_dir", "log_level", "redis_url", "queue_redis_url")
"""These may differ between the machines of one guard."""

_DIGITS = 12


def fingerprint(settings: Settings) -> Fingerprint:
    """Return digests that tell these settings from others, and reveal nothing else of them.

    Each digest is keyed with the tokens of all accounts, which a reader of Redis does not have: so a short secret
    or a number among the settings cannot be found by trying.
    """
    accounts = [settings.accounts[sid] for sid in sorted(settings.accounts)]
    key = "\n".join(token for account in accounts for token in (account.sid, *account.auth_tokens)).encode()
    parts: dict[str, Any] = {
        key_of(name, field): getattr(settings, name)
        for name, field in Settings.model_fields.items()
        if name not in (ACCOUNTS, POLICY, *OF_ONE_MACHINE)
    }
    parts[POLICY] = [settings.policy, *(account.policy for account in accounts)]
    parts[ACCOUNTS] = [replace(account, policy=Policy()) for account in accounts]
    return Fingerprint(__version__, {name: _digest(key, name, value) for name, value in parts.items()})


def _digest(key: bytes, name: str, value: Any) -> str:
    return hmac.digest(key, f"{name}={_plain(value)!r}".encode(), "sha256").hex()[:_DIGITS]


def _plain(value: Any) -> Any:
    """Return a value whose `repr` says everything, also fields that a dataclass leaves out of its `repr`."""
    if is_dataclass(value) and not isinstance(value, type):
        return {field.name: _plain(getattr(value, field.name)) for field in fields(value) if field.compare}
    if isinstance(value, Mapping):
        return sorted((str(key), _plain(item)) for key, item in value.items())
    if isinstance(value, set | frozenset):
        return sorted(repr(_plain(item)) for item in value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return value
