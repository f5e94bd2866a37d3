"""Commands read the settings that the guard reads, from wherever they are written."""

from pathlib import Path

import pytest

from callguard.cli.connect import NO_PUBLIC_URL, own_settings, settings_of
from callguard.config.settings import load_settings
from tests.cli.running import environ, run
from tests.conftest import Store

__all__ = ["environ"]

pytestmark = pytest.mark.usefixtures("environ")

NOBODY = "http://127.0.0.1:9"
FILE = f"""
public_url = "{NOBODY}/of-the-file"
redis_url = "redis://somewhere-else:6379/3"
queue_redis_url = "redis://somewhere-else:6379/4"
twilio_api_url = "{NOBODY}"
api_key = ["grafana:viewer:a-long-random-key"]
metrics_token = "a-long-random-token"
notify_urls = ["https://chat.example.com/hook"]
data_dir = "/var/lib/callguard"
log_level = "WARNING"

[[accounts]]
sid = "AC00000000000000000000000000000001"
auth_token = "0123456789abcdef0123456789abcdef"
cps = 7

[policy]
mode = "observe"
"""


@pytest.fixture
def file(tmp_path: Path) -> str:
    path = tmp_path / "callguard.toml"
    path.write_text(FILE)
    return str(path)


def test_every_setting_of_the_file_is_read(file: str) -> None:
    assert settings_of({"CALLGUARD_CONFIG": file}) == load_settings({"CALLGUARD_CONFIG": file})


def test_the_environment_wins_as_it_does_for_the_guard(file: str) -> None:
    environ = {"CALLGUARD_CONFIG": file, "CALLGUARD_PUBLIC_URL": "https://other.example.com"}

    assert settings_of(environ) == load_settings(environ)
    assert settings_of(environ).public_url == "https://other.example.com"


def test_only_the_public_url_may_be_missing() -> None:
    assert own_settings().public_url == NO_PUBLIC_URL


def test_check_asks_at_the_public_url_of_the_file(
    store: Store, file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CALLGUARD_CONFIG", file)
    monkeypatch.setenv("CALLGUARD_TWILIO_API_URL", NOBODY)

    shown = run("check").output

    assert f"{NOBODY}/of-the-file/healthz cannot be reached from here" in shown
    assert f"do your calls set StatusCallback to {NOBODY}/of-the-file/twilio/status#rc=3&rp=5xx,ct,rt?" in shown
    assert "is not set here" not in shown


def test_without_one_check_says_that_it_is_not_set(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLGUARD_TWILIO_API_URL", NOBODY)
    monkeypatch.delenv("CALLGUARD_PUBLIC_URL", raising=False)

    assert "CALLGUARD_PUBLIC_URL is not set here, so signatures were not looked at" in run("check").output
