"""The settings: one frozen object, read once, checked whole."""

import os
from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal, Self

from pydantic import AfterValidator, BeforeValidator, Field, SkipValidation, ValidationError
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from callguard.config import api_keys as keys
from callguard.config import urls
from callguard.config.account_list import read_accounts
from callguard.config.accounts import Account
from callguard.config.environment import refuse_unknown_variables
from callguard.config.errors import Problems
from callguard.config.home import default_data_dir
from callguard.config.lists import entries
from callguard.config.masking import masked_url, url_secrets
from callguard.config.policies import policy_of_environment, read_policy, refuse_unknown
from callguard.config.regions import regional_api_url
from callguard.config.secret_files import with_secret_files
from callguard.config.sources import (
    computed,
    layer_of_environment,
    layer_sources,
    note_errors,
    setting_keys,
    variable,
    with_data_dir,
)
from callguard.config.toml_file import read_file
from callguard.config.written import Layer
from callguard.domain.policy import Policy

_RedisUrl = Annotated[str, AfterValidator(urls.redis_url)]
_ApiKey = Annotated[keys.ApiKey, BeforeValidator(keys.api_key)]
_NotifyUrl = Annotated[str, AfterValidator(urls.notify_url)]
_LogLevel = Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"]


class Settings(BaseSettings):
    """All settings, as `load_settings` makes them.

    A field is written in the TOML file under its alias or its name, and in the environment under the same in
    capitals after `CALLGUARD_`; not so `policy` and `accounts`. What `repr` leaves out is secret.
    """

    model_config = SettingsConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

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
    data_dir: Path = Field(
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

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,  # noqa: ARG003  (pydantic-settings' signature)
        dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003
        file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Read the layers that the constructor is given, and never `os.environ` or a `.env` file."""
        return layer_sources(settings_cls, init_settings)


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
    known = setting_keys(Settings)
    file = read_file(environ, known, problems)
    refuse_unknown_variables(environ, map(variable, known), file.named_variables(), problems)
    refuse_unknown(file.policy, (), problems)
    defaults = {**file.policy, **policy_of_environment(environ)}
    layers: tuple[Layer, ...] = (
        with_data_dir(layer_of_environment(environ, known), environ),
        with_data_dir(file.general, environ),
        {key: computed(value) for key, value in stand_ins.items()},
        {
            "data_dir": computed(default_data_dir(environ)),
            "twilio_api_url": computed(regional_api_url(environ, problems)),
            "policy": computed(read_policy(defaults, problems)),
            "accounts": computed(read_accounts(environ, file, defaults, problems)),
        },
    )
    given: dict[str, Any] = {"layers": layers}
    settings = None
    try:
        settings = Settings(**given)
    except ValidationError as error:
        # It holds the values, so it must not become the cause of the error that is raised.
        note_errors(Settings, error, layers, problems, ignore_missing=not file.is_readable)
    problems.demand_none()
    assert settings is not None  # noqa: S101  (each error is a problem)
    return settings
