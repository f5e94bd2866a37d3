"""A receiver that is none stops the start; what cannot be found out does not."""

import json
import os
import subprocess
import sys

import pytest

from callguard import startup
from callguard.config.errors import ConfigurationError
from callguard.config.settings import Settings, load_settings
from callguard.notify import verify
from callguard.startup import RECEIVERS_VERIFIED, verify_receivers

SECRET = "hunter2-hunter2"


@pytest.fixture(autouse=True)
def unverified(monkeypatch: pytest.MonkeyPatch) -> None:
    """What a test finds out is for that test."""
    monkeypatch.setenv(RECEIVERS_VERIFIED, "")


def settings(urls: str) -> Settings:
    return load_settings(
        {
            "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
            "TWILIO_AUTH_TOKEN": "a" * 32,
            "CALLGUARD_PUBLIC_URL": "https://guard.example.com",
            "CALLGUARD_NOTIFY_URLS": urls,
        }
    )


def test_every_receiver_that_is_none_is_named(capfd: pytest.CaptureFixture[str]) -> None:
    wrong = settings(f"json://127.0.0.1,slakc://{SECRET}/y/z,https://chat.example.com/hook,mailto://{SECRET}")

    with pytest.raises(ConfigurationError) as caught:
        verify_receivers(wrong)

    first, *lines = str(caught.value).splitlines()
    assert first == "CallGuard does not start with these settings:"
    assert [line.partition(": ")[0] for line in lines] == [
        "CALLGUARD_NOTIFY_URLS, entry 2 (slakc://)",
        "CALLGUARD_NOTIFY_URLS, entry 4 (mailto://)",
    ]
    assert SECRET not in str(caught.value) + "".join(capfd.readouterr())
    assert os.environ[RECEIVERS_VERIFIED] != "1"


@pytest.mark.full
def test_what_was_found_right_is_not_looked_at_again_by_what_we_start(monkeypatch: pytest.MonkeyPatch) -> None:
    verify_receivers(settings("json://127.0.0.1"))
    monkeypatch.setattr(subprocess, "run", None)

    verify_receivers(settings("json://127.0.0.1"))


@pytest.mark.full
def test_settings_that_may_have_changed_are_looked_at_again() -> None:
    verify_receivers(settings("json://127.0.0.1"))

    with pytest.raises(ConfigurationError):
        verify_receivers(settings(f"slakc://{SECRET}"), again=True)


@pytest.mark.parametrize("urls", ["", "https://chat.example.com/hook,http://127.0.0.1:9/x"])
def test_a_webhook_needs_no_look(urls: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(subprocess, "run", None)

    verify_receivers(settings(urls))


@pytest.mark.parametrize("python", ["/bin/false", "/nowhere/python"])
def test_a_look_that_fails_is_said_and_stops_nobody(
    python: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(sys, "executable", python)

    verify_receivers(settings(f"slakc://{SECRET}"))

    assert "CALLGUARD_NOTIFY_URLS could not be checked" in caplog.text
    assert SECRET not in caplog.text


@pytest.mark.full
def test_the_exit_code_is_understood() -> None:
    assert startup._WRONG == verify.WRONG
    code = f"import sys, io; sys.stdin = io.StringIO({json.dumps(['slakc://x'])!r}); "
    code += "from callguard.notify import verify; sys.exit(verify.main())"

    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == verify.WRONG
    assert ended.stdout.startswith("CALLGUARD_NOTIFY_URLS, entry 1 (slakc://): Apprise knows no such service")
