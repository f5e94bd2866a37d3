"""No setting is without effect, so nobody is warned of one."""

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
    "given",
    [
        {"CALLGUARD_NOTIFY_URLS": "https://chat.example.com/hook"},
        {"CALLGUARD_API_KEY": "grafana:viewer:a-long-random-key,dialler:reporter:another-long-key"},
    ],
)
def test_nobody_is_warned_of_what_works(given: dict[str, str], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        log_settings(load_settings({**GIVEN, **given}), logging.getLogger("test"))

    assert caplog.text == ""
