"""The policy that a backtest tries: as configured, with other values laid over it."""

from collections.abc import Iterable, Mapping
from dataclasses import replace

import click

from callguard.cli.connect import has_account, settings_of
from callguard.config.errors import Problems
from callguard.config.layers import Layer, Place, Written
from callguard.config.policies import policy_of_environment, read_policy, refuse_unknown
from callguard.config.settings import Settings
from callguard.domain.policy import Policy


def configured(environ: Mapping[str, str], account_sid: str | None) -> tuple[Settings | None, Policy, str]:
    """Return the settings if there are any, the account's policy, and in words whose policy it is.

    Raises:
        ConfigurationError: the settings are wrong.
    """
    if not has_account(environ):
        problems = Problems()
        layer = policy_of_environment(environ)
        policy = read_policy(layer, problems)
        problems.demand_none()
        return None, policy, "the defaults and CALLGUARD_POLICY__ variables" if layer else "the defaults"
    settings = settings_of(environ)
    account = settings.accounts.get(account_sid or "")
    if account is None and account_sid is None and len(settings.accounts) == 1:
        account = next(iter(settings.accounts.values()))
    if account is None:
        return settings, settings.policy, "the settings, as for every account"
    return settings, account.policy, f"the settings of {account.sid}"


def with_tried(policy: Policy, tried: Iterable[str]) -> Policy:
    """Return the policy with each `key=value` in place of its own.

    Raises:
        ConfigurationError: names every key that is unknown and every value that cannot be.
    """
    layer: Layer = dict(map(_written, tried))
    problems = Problems()
    refuse_unknown(layer, (), problems)
    other = read_policy(layer, problems)
    problems.demand_none()
    return replace(policy, **{key: getattr(other, key) for key in layer})


def _written(text: str) -> tuple[str, Written]:
    key, equals, value = text.partition("=")
    if not equals:
        raise click.UsageError(f"--set {text}: write a key and a value, such as --set spike_burst=100")
    return key.strip(), Written(value.strip(), Place(f"--set {key.strip()}", f"--set {key.strip()}"))
