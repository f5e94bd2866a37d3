"""What the environment and the file may say, and what becomes of it."""

from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from callguard.config.api_keys import ApiKey, Role
from callguard.config.environment import variable
from callguard.config.settings import Settings, load_settings, setting_keys
from tests.config.given import RIGHT, SID, TOKEN, problem, problems, with_file


def test_three_variables_are_enough() -> None:
    settings = load_settings(RIGHT)

    assert settings.public_url == "https://guard.example.com"
    assert settings.twilio_api_url == "https://api.twilio.com"
    assert settings.redis_url is None
    assert settings.log_level == "INFO"
    assert settings.accounts[SID].auth_tokens == (TOKEN,)


def test_without_a_mapping_the_process_environment_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in RIGHT.items():
        monkeypatch.setenv(name, value)

    assert load_settings().public_url == RIGHT["CALLGUARD_PUBLIC_URL"]


def test_given_a_mapping_the_process_environment_is_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLGUARD_REDIS_URL", "redis://elsewhere")
    monkeypatch.setenv("REDIS_URL", "redis://elsewhere")

    assert load_settings(RIGHT).redis_url is None


def test_a_dotenv_file_is_not_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / ".env").write_text("CALLGUARD_REDIS_URL=redis://elsewhere\nCALLGUARD_NONSENSE=1\n")
    monkeypatch.chdir(tmp_path)

    assert load_settings(RIGHT).redis_url is None


KEY_12, KEY_AB = "123456789", "abc:defghi"


@pytest.mark.parametrize(
    ("name", "text", "field", "value"),
    [
        ("PUBLIC_URL", "http://127.0.0.1:8000", "public_url", "http://127.0.0.1:8000"),
        ("PUBLIC_URL", "https://e.com/guard?tenant=1", "public_url", "https://e.com/guard?tenant=1"),
        ("PUBLIC_URL", "https://[2001:db8::1]:8443/", "public_url", "https://[2001:db8::1]:8443/"),
        ("REDIS_URL", "redis://:pw@h:6380/2", "redis_url", "redis://:pw@h:6380/2"),
        ("REDIS_URL", "rediss://h", "redis_url", "rediss://h"),
        ("REDIS_URL", "unix:///run/valkey.sock?db=1", "redis_url", "unix:///run/valkey.sock?db=1"),
        ("QUEUE_REDIS_URL", "redis://q", "queue_redis_url", "redis://q"),
        ("TWILIO_API_URL", "http://127.0.0.1:9000/", "twilio_api_url", "http://127.0.0.1:9000"),
        (
            "API_KEY",
            f"page:viewer:{KEY_12}, ops:operator:{KEY_AB}",
            "api_keys",
            (ApiKey("page", Role.VIEWER, KEY_12), ApiKey("ops", Role.OPERATOR, KEY_AB)),
        ),
        ("METRICS_TOKEN", "scrape-me", "metrics_token", "scrape-me"),
        (
            "NOTIFY_URLS",
            "https://a.example/x,mailtos://u:p@e.com, tgram://123456789:AbC-dEf_gh/-100",
            "notify_urls",
            ("https://a.example/x", "mailtos://u:p@e.com", "tgram://123456789:AbC-dEf_gh/-100"),
        ),
        ("DATA_DIR", "/var/lib/callguard", "data_dir", Path("/var/lib/callguard")),
        ("DATA_DIR", "~/guard", "data_dir", Path("/home/guard/guard")),
        ("LOG_LEVEL", "debug", "log_level", "DEBUG"),
        ("REDIS_URL", "  ", "redis_url", None),
        ("REDIS_URL", " redis://h ", "redis_url", "redis://h"),
    ],
)
def test_what_may_be_written(name: str, text: str, field: str, value: Any, tmp_path: Path) -> None:
    from_environment = load_settings({**RIGHT, f"CALLGUARD_{name}": text})

    assert getattr(from_environment, field) == value

    if text == text.strip() and text:
        without = {k: v for k, v in RIGHT.items() if k != f"CALLGUARD_{name}"}
        from_file = load_settings(with_file(tmp_path, f'{name.lower()} = "{text}"', without))
        assert getattr(from_file, field) == value


WRONG = [
    ("PUBLIC_URL", "guard.example.com", "should begin with https://"),
    ("PUBLIC_URL", "ftp://guard.example.com", "should begin with https://"),
    ("PUBLIC_URL", "https://", "should have a host"),
    ("PUBLIC_URL", "https://u:hunter2@e.com", "should have no user name or password"),
    ("PUBLIC_URL", "https://e.com/#top", "should have no fragment"),
    ("PUBLIC_URL", "https://e.com/twilio/status", "write the base, CallGuard adds /twilio/status"),
    ("PUBLIC_URL", "https://e.com/a/twilio/status/?t=1", "write the base"),
    ("PUBLIC_URL", "https://e.com/#", "should have no fragment"),
    ("PUBLIC_URL", "https://e.com/a b", "should hold no spaces"),
    ("PUBLIC_URL", "https://e.com/ü", "only ASCII"),
    ("PUBLIC_URL", "https://e.com:99999", "a port that can be"),
    ("REDIS_URL", "localhost:6379", "should begin with redis://"),
    ("REDIS_URL", "redis://", "should have a host"),
    ("REDIS_URL", "redis://h/first", "number of a database"),
    ("REDIS_URL", "unix://valkey.sock", "full path"),
    ("QUEUE_REDIS_URL", "http://h", "should begin with redis://"),
    ("TWILIO_API_URL", "https://e.com?x=1", "should have no query"),
    ("API_KEY", "justakey12345", "should be name:role:key"),
    ("API_KEY", "ops:admin:justakey12345", "should be name:role:key"),
    ("API_KEY", "ops:viewer:short", "the key of ops should be 8 or more"),
    ("API_KEY", "a:viewer:12345678,a:viewer:87654321", "each name and each key only once"),
    ("METRICS_TOKEN", "short", "should be 8 or more"),
    ("NOTIFY_URLS", "https://a.example/x,nonsense", "should be a URL"),
    ("NOTIFY_URLS", "mailto:o@e.com", "should be a URL"),
    ("NOTIFY_URLS", "slack://[x/y", "should be a URL"),
    ("NOTIFY_URLS", "https:///hook", "should have a host"),
    ("LOG_LEVEL", "loud", "should be 'DEBUG', 'INFO'"),
]


@pytest.mark.parametrize(("name", "text", "wrong"), WRONG)
def test_what_may_not_be_written(name: str, text: str, wrong: str) -> None:
    line = problem({**RIGHT, f"CALLGUARD_{name}": text})

    assert line.startswith(f"CALLGUARD_{name}")
    assert wrong in line
    assert f"Write for example CALLGUARD_{name}=" in line


@pytest.mark.parametrize(("name", "text", "wrong"), WRONG)
def test_what_may_not_be_written_in_the_file(name: str, text: str, wrong: str, tmp_path: Path) -> None:
    without = {k: v for k, v in RIGHT.items() if k != f"CALLGUARD_{name}"}

    line = problem(with_file(tmp_path, f'{name.lower()} = "{text}"', without))

    assert f"callguard.toml: {name.lower()}" in line
    assert wrong in line
    assert f"Write for example {name.lower()} = " in line


@pytest.mark.parametrize(
    ("key", "value"), [("data_dir", 5), ("redis_url", 5), ("notify_urls", 5), ("log_level", 5)]
)
def test_a_value_of_another_type_is_refused_by_name(key: str, value: int, tmp_path: Path) -> None:
    assert f"callguard.toml: {key}: should be " in problem(with_file(tmp_path, f"{key} = {value}"))


def test_the_public_url_is_needed() -> None:
    line = problem({k: v for k, v in RIGHT.items() if k != "CALLGUARD_PUBLIC_URL"})

    assert line == (
        "CALLGUARD_PUBLIC_URL: is needed and not set. "
        "Write for example CALLGUARD_PUBLIC_URL=https://guard.example.com"
    )


def test_the_environment_wins_over_the_file(tmp_path: Path) -> None:
    toml = 'redis_url = "redis://file"\nqueue_redis_url = "redis://file"'
    environ = {**with_file(tmp_path, toml), "CALLGUARD_REDIS_URL": "redis://env"}

    settings = load_settings(environ)

    assert settings.redis_url == "redis://env"
    assert settings.queue_redis_url == "redis://file"


@pytest.mark.parametrize(
    ("environ", "data_dir"),
    [
        pytest.param({"HOME": "/h"}, "/h/.local/state/callguard", id="below the home folder"),
        pytest.param({"HOME": "/h", "XDG_STATE_HOME": "/s"}, "/s/callguard", id="XDG_STATE_HOME is honoured"),
        pytest.param({"HOME": "/h", "XDG_STATE_HOME": "s"}, "/h/.local/state/callguard", id="not when relative"),
    ],
)
def test_the_data_dir_by_default(environ: dict[str, str], data_dir: str) -> None:
    assert load_settings({**RIGHT, **environ}).data_dir == Path(data_dir)


def test_every_problem_is_told_at_once() -> None:
    bad = {
        "CALLGUARD_PUBLIC_URL": "nowhere",
        "CALLGUARD_REDIS_URL": "nowhere",
        "CALLGUARD_POLICY__CPS": "five",
        "CALLGUARD_POLICY__MAX_BACKLOG": "0",
        "CALLGUARD_NONSENSE": "1",
        "TWILIO_ACCOUNT_SID": "AC1",
        "TWILIO_AUTH_TOKEN": "short",
    }

    lines = problems({**RIGHT, **bad})

    assert len(lines) == len(bad)
    assert all(any(line.startswith(f"{name}: ") for line in lines) for name in bad)


def test_settings_are_frozen_but_for_the_redis_that_is_started_later() -> None:
    settings = load_settings(RIGHT)

    with pytest.raises(ValidationError):
        settings.redis_url = "redis://other"
    with pytest.raises(TypeError):
        settings.accounts[SID] = settings.accounts[SID]  # type: ignore[index]

    assert settings.with_redis_url("unix:///run/v.sock").redis_url == "unix:///run/v.sock"
    assert settings.redis_url is None


def test_every_setting_is_described_with_an_example_that_is_accepted() -> None:
    keys = setting_keys()
    fields = {field.validation_alias or name: field for name, field in Settings.model_fields.items()}

    for key in keys:
        assert fields[key].description, key
        [example] = fields[key].examples or []
        load_settings({**RIGHT, variable(key): ",".join(example) if isinstance(example, list) else example})
