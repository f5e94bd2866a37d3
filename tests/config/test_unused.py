"""Settings for versions to come are checked, and said to have no effect."""

import logging

import pytest

from callguard.config.effective import log_settings
from callguard.config.settings import load_settings

GIVEN = {
    "TWILIO_ACCOUNT_SID": "AC" + "0" * 32,
    "TWILIO_AUTH_TOKEN": "a" * 32,
    "CALLGUARD_PUBLIC_URL": "https://guard.example.com",
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("CALLGUARD_API_KEY", "grafana:viewer:a-long-random-key"),
        ("CALLGUARD_NOTIFY_URLS", "https://chat.example.com/hook"),
    ],
)
def test_nobody_waits_for_what_does_not_come(name: str, value: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        log_settings(load_settings({**GIVEN, name: value}), logging.getLogger("test"))

    assert f"{name} is set, but nothing in this version makes use of it" in caplog.text
    assert value not in caplog.text
