"""Secrets stay secret: in errors, in repr, and among the effective settings."""

import logging
from pathlib import Path

import pytest

from callguard.config.effective import effective, log_settings
from callguard.config.environment import variable
from callguard.config.policies import POLICY_KEYS, env_name
from callguard.config.settings import load_settings, setting_keys
from callguard.config.urls import masked_url
from tests.config.given import OTHER_SID, RIGHT, SID, problems, with_file

SECRETS = {
    "token": "token-hunter2",
    "token of the file": "file-hunter2",
    "shared key": "shared-hunter2",
    "API key": "api-hunter2-api",
    "metrics": "metrics-hunter2",
    "redis": "redis-hunter2",
    "redis query": "query-hunter2",
    "notify": "services-hunter2",
    "notify token": "slack-hunter2",
    "public": "public-hunter2",
}


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    toml = f"""
        [[accounts]]
        sid = "{OTHER_SID}"
        auth_token = "{SECRETS["token of the file"]}"
        shared_keys = [{{ id = "KY1", secret = "{SECRETS["shared key"]}" }}]
        cps = 2.5
    """
    return {
        **with_file(tmp_path, toml),
        "TWILIO_AUTH_TOKEN": SECRETS["token"],
        "CALLGUARD_PUBLIC_URL": f"https://e.com/guard?key={SECRETS['public']}",
        "CALLGUARD_API_KEY": f"ops:operator:{SECRETS['API key']}",
        "CALLGUARD_METRICS_TOKEN": SECRETS["metrics"],
        "CALLGUARD_REDIS_URL": f"redis://u:{SECRETS['redis']}@h/0",
        "CALLGUARD_QUEUE_REDIS_URL": f"redis://h/0?password={SECRETS['redis query']}",
        "CALLGUARD_NOTIFY_URLS": f"https://chat.example/{SECRETS['notify']},slack://{SECRETS['notify token']}/b/c",
        "CALLGUARD_POLICY__NEVER_CANCEL": "+15551230000,+1666*",
    }


def test_no_secret_is_in_repr(environ: dict[str, str]) -> None:
    assert "hunter2" not in repr(load_settings(environ))
    assert "hunter2" not in str(load_settings(environ))


def test_every_secret_is_known_to_the_log(environ: dict[str, str]) -> None:
    known = load_settings(environ).secrets()

    for name, secret in SECRETS.items():
        if name != "public":
            assert any(secret in one for one in known), name


def test_no_secret_and_no_number_is_among_the_effective_settings(environ: dict[str, str]) -> None:
    lines = dict(effective(load_settings(environ)))

    assert "hunter2" not in str(lines)
    assert "15551230000" not in str(lines)
    assert lines["CALLGUARD_POLICY__NEVER_CANCEL"] == "+1555***00,+1666*"
    assert lines["CALLGUARD_REDIS_URL"] == "redis://*****@h/0"
    assert lines["CALLGUARD_API_KEY"] == "ops:operator:*****"
    assert lines["CALLGUARD_NOTIFY_URLS"] == "https://chat.example/*****,slack://*****"
    assert lines["CALLGUARD_PUBLIC_URL"] == "https://e.com/guard?key=*****"
    assert lines[f"account {SID} auth_tokens"] == "*****"
    assert lines[f"account {OTHER_SID} shared_keys"] == "KY1:HMAC_SHA256:*****"
    assert lines[f"account {OTHER_SID} cps"] == "2.5"


def test_every_setting_is_among_the_effective_ones() -> None:
    names = {name for name, _ in effective(load_settings(RIGHT))}

    assert names >= {*map(variable, setting_keys()), *map(env_name, POLICY_KEYS)}


@pytest.mark.parametrize(
    "bad",
    [
        {"TWILIO_AUTH_TOKEN": "hunter2 hunter2"},
        {"TWILIO_ACCOUNT_SID": "hunter2hunter2hunter2hunter2hunt"},
        {"CALLGUARD_PUBLIC_URL": "https://u:hunter2@e.com"},
        {"CALLGUARD_PUBLIC_URL": "u:hunter2@e.com"},
        {"CALLGUARD_PUBLIC_URL": "ftp://e.com?key=hunter2"},
        {"CALLGUARD_TWILIO_API_URL": "https://u:hunter2@e.com"},
        {"CALLGUARD_REDIS_URL": ":hunter2@localhost"},
        {"CALLGUARD_REDIS_URL": "redis://:hunter2@h/first"},
        {"CALLGUARD_API_KEY": "hunter2hunter2"},
        {"CALLGUARD_API_KEY": "ops:viewer:hunter2"},
        {"CALLGUARD_METRICS_TOKEN": "hunter2"},
        {"CALLGUARD_NOTIFY_URLS": "hunter2 hunter2"},
        {"CALLGUARD_NOTIFY_URLS": "slack://hunter2 hunter2"},
        {"CALLGUARD_NOTIFY_URLS": "https://u:hunter2@:x/hunter2"},
        {"CALLGUARD_HUNTER": "hunter2"},
    ],
)
def test_no_secret_is_in_an_error(bad: dict[str, str]) -> None:
    assert "hunter2" not in "\n".join(problems({**RIGHT, **bad}))


@pytest.mark.parametrize(
    "table",
    [
        'auth_token = "hunter2"',
        'auth_token_env = "hunter2"',
        'auth_token = ["hunter2"]',
        'auth_tokens = "hunter2"',
        'authtoken = "hunter2"',
        'shared_keys = ["hunter2"]',
        'shared_keys = [{id = "K", secret = "hunter2"}]',
        'shared_keys = [{id = "K", secret_env = "hunter2"}]',
        'shared_keys = [{id = "K", secret = ["hunter2"]}]',
    ],
)
def test_no_secret_of_the_file_is_in_an_error(table: str, tmp_path: Path) -> None:
    toml = f'[[accounts]]\nsid = "{SID}"\n{table}'

    assert "hunter2" not in "\n".join(problems(with_file(tmp_path, toml)))


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("redis://h/0", "redis://h/0"),
        ("redis://:p@h/0", "redis://*****@h/0"),
        ("redis://:p/w@h/0", "redis://*****@h/0"),
        ("https://h/x?a=1&b=2", "https://h/x?a=*****&b=*****"),
        ("u:p@h", "*****@h"),
        ("https://u:p?w@h/x", "https://u:p?*****"),
        ("five", "five"),
    ],
)
def test_what_is_shown_of_a_url(url: str, shown: str) -> None:
    assert masked_url(url) == shown


@pytest.mark.parametrize(
    ("url", "warned"),
    [
        ("http://e.com", True),
        ("http://127.0.0.1:8000", False),
        ("http://localhost", False),
        ("https://e.com", False),
    ],
)
def test_an_open_public_url_is_warned_of(url: str, warned: bool, caplog: pytest.LogCaptureFixture) -> None:
    settings = load_settings({**RIGHT, "CALLGUARD_PUBLIC_URL": url})

    with caplog.at_level(logging.INFO):
        log_settings(settings, logging.getLogger("callguard.test"))

    assert f"CALLGUARD_PUBLIC_URL={url}" in caplog.messages
    assert any(record.levelno == logging.WARNING for record in caplog.records) is warned
