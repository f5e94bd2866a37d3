"""Settings for versions to come are checked, and said to have no effect; the others are not."""

import logging

import pytest

from callguard.config.effective import log_settings
from callguard.config.settings import load_settings

GIVEN = {
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "a" * 32,
    "CALLGUARD_PUBLIC_URL": "https://guard.example.com",
}
API_KEY = "grafana:viewer:a-long-random-key"


def test_nobody_waits_for_what_does_not_come(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        log_settings(load_settings({**GIVEN, "CALLGUARD_API_KEY": API_KEY}), logging.getLogger("test"))

    assert "CALLGUARD_API_KEY is set, but nothing in this version makes use of it" in caplog.text
    assert API_KEY not in caplog.text


def test_nobody_is_warned_of_what_works(caplog: pytest.LogCaptureFixture) -> None:
    given = {**GIVEN, "CALLGUARD_NOTIFY_URLS": "https://chat.example.com/hook"}

    with caplog.at_level(logging.WARNING):
        log_settings(load_settings(given), logging.getLogger("test"))

    assert caplog.text == ""
