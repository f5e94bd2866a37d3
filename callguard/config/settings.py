"""The settings: one frozen object, read once, checked whole."""

import os
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SkipValidation,
    ValidationError,
    ValidationInfo,
)
from pydantic.fields import FieldInfo

from callguard.config import api_keys as keys
from callguard.config import urls
from callguard.config.account_list import read_accounts
from callguard.config.accounts import Account
from callguard.config.environment import (
    default_data_dir,
    expanded,
    layer_of_environment,
    refuse_unknown_variables,
    variable,
    with_secret_files,
)
from callguard.config.errors import Problems, wrong
from callguard.config.layers import Layer, entries, in_environment
from callguard.config.policies import policy_of_environment, read_policy, refuse_unknown
from callguard.config.rest_access import regional_api_url
from callguard.config.toml_file import read_file
from callguard.config.urls import masked_url, url_secrets
from callguard.domain.policy import Policy
from callguard.domain.processes import ACCOUNTS, POLICY

_RedisUrl = Annotated[str, AfterValidator(urls.redis_url)]
_ApiKey = Annotated[keys.ApiKey, BeforeValidator(keys.api_key)]
_NotifyUrl = Annotated[str, AfterValidator(urls.notify_url)]
_LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


def _absolute(given: Any, info: ValidationInfo) -> Any:
    """Return a path that somebody wrote as `expanded` does, by the environment in the context."""
    return expanded(given, info.context or {}) if isinstance(given, str) else given


class Settings(BaseModel):
    """All settings, as `load_settings` makes them.

    A field is written in the TOML file under its alias or its name, and in the environment under the same in
    capitals after `CALLGUARD_`; not so `policy` and `accounts`. What `repr` leaves out is secret.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    public_url: Annotated[str, AfterValidator(urls.public_url)] = Field(
        description="the URL at which Twilio reaches the guard; signatures are checked against it",
        examples=["https://guard.example.com"],
    )
    redis_url: _RedisUrl | None = Field(
        None,
        repr=False,
        description="Redis or Valkey; without it `callguard up` starts its own",
        examples=["redis://localhost:6379/0"],
    )
    queue_redis_url: _RedisUrl | None = Field(
        None,
        repr=False,
        description="Redis for RQ's jobs (default: CALLGUARD_REDIS_URL)",
        examples=["redis://localhost:6379/1"],
    )
    twilio_api_url: Annotated[str, AfterValidator(urls.api_url)] = Field(
        description="Twilio's REST API, or a simulated one; asked as it is written (default: Twilio's own, in "
        "TWILIO_REGION and by TWILIO_EDGE if they are set)",
        examples=["https://api.twilio.com"],
    )
    api_keys: Annotated[tuple[_ApiKey, ...], BeforeValidator(entries), AfterValidator(keys.distinct)] = Field(
        (),
        validation_alias="api_key",
        repr=False,
        description="keys of the operator API: a comma list of `name:role:key`, roles `viewer`, `operator` and "
        "`reporter` (for programs that create calls); without one it answers on loopback only, and nobody where "
        "`CALLGUARD_PUBLIC_URL` is public",
        examples=[["grafana:viewer:a-long-random-key"]],
    )
    metrics_token: Annotated[str, AfterValidator(keys.secret)] | None = Field(
        None,
        repr=False,
        description="bearer token for `/metrics`, which also takes a viewer's or operator's key of the API",
        examples=["a-long-random-token"],
    )
    notify_urls: Annotated[tuple[_NotifyUrl, ...], BeforeValidator(entries)] = Field(
        (),
        repr=False,
        description="who is told of warnings and trips: a comma list of "
        "[Apprise URLs](https://appriseit.com/services/); `https://` is a webhook that takes JSON",
        examples=[["https://chat.example.com/hook"]],
    )
    data_dir: Annotated[Path, BeforeValidator(_absolute)] = Field(
        description="where the embedded Valkey keeps its data (default: `callguard` in XDG_STATE_HOME)",
        examples=["/var/lib/callguard"],
    )
    log_level: Annotated[_LogLevel, BeforeValidator(lambda v: v.upper() if isinstance(v, str) else v)] = Field(
        "INFO", description="least level of what is logged", examples=["INFO"]
    )
    policy: SkipValidation[Policy] = Field(description="the policy of accounts that set nothing else")
    accounts: SkipValidation[Mapping[str, Account]] = Field(description="the guarded accounts by SID")

    def with_redis_url(self, url: str) -> Self:
        """Return the same settings with another Redis, such as an embedded one that is now started."""
        return self.model_copy(update={"redis_url": url})

    def secrets(self) -> frozenset[str]:
        """Return every string that must not be logged or shown."""
        urls_ = [url for url in (self.redis_url, self.queue_redis_url, *self.notify_urls) if url]
        return frozenset(
            chain(
                *(account.auth_tokens for account in self.accounts.values()),
                (account.api_secret for account in self.accounts.values() if account.api_secret),
                (key.secret for account in self.accounts.values() for key in account.shared_keys),
                (key.key for key in self.api_keys),
                [self.metrics_token] if self.metrics_token else [],
                self.notify_urls,
                *map(url_secrets, urls_),
            )
        )

    def __repr_args__(self) -> Any:
        for name, value in super().__repr_args__():
            yield name, masked_url(value) if name == "public_url" else value


def key_of(name: str, field: FieldInfo) -> str:
    """Return a field's key in the TOML file: its alias or its name."""
    return field.validation_alias if isinstance(field.validation_alias, str) else name


def setting_keys() -> tuple[str, ...]:
    """Return the keys of all settings that are written under one name; the others are put together."""
    return tuple(key_of(n, field) for n, field in Settings.model_fields.items() if n not in (POLICY, ACCOUNTS))


def load_settings(
    environ: Mapping[str, str] | None = None, *, stand_ins: Mapping[str, Any] = MappingProxyType({})
) -> Settings:
    """Return the settings of an environment, by default that of this process, and of its CALLGUARD_CONFIG file.

    Args:
        environ: the variables.
        stand_ins: values by key for what neither sets, in place of the defaults.

    Raises:
        ConfigurationError: names everything that is wrong, and what to write instead.
    """
    problems = Problems()
    environ = with_secret_files(os.environ if environ is None else environ, problems)
    known = setting_keys()
    file = read_file(environ, known, problems)
    refuse_unknown_variables(environ, map(variable, known), file.named_variables(), problems)
    refuse_unknown(file.policy, (), problems)
    defaults = {**file.policy, **policy_of_environment(environ)}
    computed = {
        "data_dir": default_data_dir(environ),
        "twilio_api_url": regional_api_url(environ, problems),
        POLICY: read_policy(defaults, problems),
        ACCOUNTS: read_accounts(environ, file, defaults, problems),
        **stand_ins,
    }
    layer: Layer = {**file.general, **layer_of_environment(environ, known)}
    settings = None
    try:
        values = {**computed, **{key: written.value for key, written in layer.items()}}
        settings = Settings.model_validate(values, context=environ)
    except ValidationError as error:
        # It holds the values, so it must not become the cause of the error that is raised.
        _note(error, layer, problems, ignore_missing=not file.is_readable)
    problems.demand_none()
    assert settings is not None  # noqa: S101  (each error is a problem)
    return settings


def _note(error: ValidationError, layer: Layer, problems: Problems, *, ignore_missing: bool) -> None:
    """Note what pydantic has found wrong, under the names that the values were written with.

    `ignore_missing`: what is not set may stand in a file that could not be read.
    """
    fields = {key_of(name, field): field for name, field in Settings.model_fields.items()}
    for detail in error.errors(include_url=False):
        key, *index = detail["loc"]
        if detail["type"] == "missing" and ignore_missing:
            continue
        field = fields[str(key)]
        place = layer[str(key)].place if key in layer else in_environment(variable(str(key)))
        problems.add(place.entry(index), wrong(detail, secret=not field.repr), (field.examples or [None])[0])
