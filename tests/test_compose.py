"""`deploy/compose.yaml` stands in the way of no setting in a mounted file."""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from callguard.config.errors import ConfigurationError
from callguard.config.settings import load_settings
from callguard.domain.policy import Mode, Policy

DEPLOY = Path(__file__).parents[1] / "deploy"
SERVICES = yaml.safe_load((DEPLOY / "compose.yaml").read_text())["services"]

GENERAL = """
public_url = "https://guard.example.com"
redis_url = "redis://somewhere-else:6379/3"
queue_redis_url = "redis://somewhere-else:6379/4"
twilio_api_url = "https://api.dublin.ie1.twilio.com"
api_key = ["grafana:viewer:a-long-random-key"]
metrics_token = "a-long-random-token"
notify_urls = ["https://chat.example.com/hook"]
data_dir = "/var/lib/callguard"
log_level = "WARNING"

[[accounts]]
sid = "AC00000000000000000000000000000001"
auth_token = "0123456789abcdef0123456789abcdef"

[policy]
mode = "observe"
cps = 5
"""


def rendered(service: str, given: Mapping[str, str], *, also: str = "") -> dict[str, str]:
    """Return what compose sets in a container, given the user's variables and the text of `deploy/.env`.

    https://docs.docker.com/reference/compose-file/services/#environment: a variable without a value takes the
    user's, and is not set at all if there is none; `environment` wins over `env_file`.
    """
    in_file = dict(line.split("=", 1) for line in also.splitlines() if line)
    known = {**in_file, **given}
    wanted: Mapping[str, Any] = SERVICES[service]["environment"]
    values = {name: known.get(name) if v is None else _filled_in(str(v), known) for name, v in wanted.items()}
    return {**in_file, **{name: value for name, value in values.items() if value is not None}}


def _filled_in(text: str, known: Mapping[str, str]) -> str:
    return re.sub(r"\$\{(\w+)(?::-([^}]*))?\}", lambda found: known.get(found[1]) or found[2] or "", text)


@pytest.fixture
def file(tmp_path: Path) -> str:
    """The path of a TOML file with every general setting, an account and a policy."""
    path = tmp_path / "callguard.toml"
    path.write_text(GENERAL)
    return str(path)


@pytest.mark.parametrize("service", ["web", "workers"])
def test_every_setting_of_the_file_is_in_force(service: str, file: str) -> None:
    settings = load_settings(rendered(service, {"CALLGUARD_CONFIG": file}))

    assert settings == load_settings({"CALLGUARD_CONFIG": file})
    assert (settings.policy.mode, settings.policy.cps) == (Mode.OBSERVE, 5)
    assert settings.redis_url == "redis://somewhere-else:6379/3"


@pytest.mark.parametrize("service", ["web", "workers"])
def test_compose_itself_decides_nothing_but_where_the_file_is(service: str) -> None:
    assert rendered(service, {}).keys() == {"CALLGUARD_CONFIG"}


@pytest.mark.parametrize("also", ["", "CALLGUARD_POLICY__MODE=observe\nCALLGUARD_POLICY__CPS=7"])
def test_what_the_user_gives_wins_over_the_file(file: str, also: str) -> None:
    given = {"CALLGUARD_CONFIG": file, "CALLGUARD_POLICY__MODE": "enforce", "TWILIO_ACCOUNT_SID": "AC" + "2" * 32}

    settings = load_settings(rendered("web", {**given, "TWILIO_AUTH_TOKEN": "b" * 32}, also=also))

    assert settings.policy.mode is Mode.ENFORCE
    assert settings.policy.cps == (7 if also else 5)
    assert len(settings.accounts) == 2


def test_with_nothing_but_variables_the_supplied_file_names_the_valkey_beside_it() -> None:
    (mount,) = SERVICES["web"]["volumes"]
    supplied, there, _ = mount.split(":")
    environ = rendered(
        "web",
        {
            "TWILIO_ACCOUNT_SID": "AC" + "1" * 32,
            "TWILIO_AUTH_TOKEN": "a" * 32,
            "CALLGUARD_PUBLIC_URL": "https://guard.example.com",
        },
    )
    assert environ["CALLGUARD_CONFIG"] == there
    settings = load_settings({**environ, "CALLGUARD_CONFIG": str(DEPLOY / supplied)})

    assert settings.redis_url == "redis://valkey:6379/0"
    assert "valkey" in SERVICES
    assert settings.policy == Policy()


def test_a_forgotten_account_stops_the_start_with_its_name() -> None:
    environ = {**rendered("web", {}), "CALLGUARD_CONFIG": str(DEPLOY / "callguard.toml")}

    with pytest.raises(ConfigurationError, match="no account is configured"):
        load_settings(environ)


def test_web_and_workers_are_given_the_same() -> None:
    for what in ("environment", "env_file", "volumes"):
        assert SERVICES["web"][what] == SERVICES["workers"][what]


def test_the_examples_in_the_supplied_file_are_good(tmp_path: Path) -> None:
    """Its comments, uncommented."""
    lines = (DEPLOY / "callguard.toml").read_text().splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("# public_url"))
    path = tmp_path / "callguard.toml"
    path.write_text("\n".join([*lines[:start], *(line.removeprefix("#") for line in lines[start:])]))

    settings = load_settings({"CALLGUARD_CONFIG": str(path), "TOKEN_OF_SALES": "a" * 32})

    assert settings.redis_url == "redis://valkey:6379/0"
    assert settings.policy.mode is Mode.OBSERVE
