"""Which host is asked: an explicit URL as it is written, and Twilio's own as its library would have it."""

import pytest

from callguard.config.accounts import Account
from callguard.config.settings import load_settings
from callguard.ports import TwilioUnavailable
from callguard.simulator import SANDBOX_ACCOUNT_SID, SANDBOX_AUTH_TOKEN, SimulatorConfig, running
from callguard.telephony.calls import TwilioCalls
from callguard.telephony.http_client import PooledHttpClient
from tests.config.given import RIGHT, problem

SID = SANDBOX_ACCOUNT_SID
ELSEWHERE = {"TWILIO_EDGE": "sydney", "TWILIO_REGION": "au1"}


def test_an_explicit_url_is_asked_as_it_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ELSEWHERE.items():
        monkeypatch.setenv(name, value)
    client = PooledHttpClient(timeout=5.0)
    with running(SimulatorConfig()) as twilio:
        calls = TwilioCalls({SID: Account(SID, (SANDBOX_AUTH_TOKEN,))}, twilio.url, client)

        assert next(calls.queued_calls(SID)).is_last
    assert (
        load_settings({**RIGHT, **ELSEWHERE, "CALLGUARD_TWILIO_API_URL": twilio.url}).twilio_api_url == twilio.url
    )
    client.close()


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, "https://api.twilio.com"),
        (ELSEWHERE, "https://api.sydney.au1.twilio.com"),
        ({"TWILIO_REGION": "ie1"}, "https://api.ie1.twilio.com"),
        ({"TWILIO_EDGE": "ashburn"}, "https://api.ashburn.us1.twilio.com"),
        ({"TWILIO_EDGE": " ", "TWILIO_REGION": ""}, "https://api.twilio.com"),
    ],
)
def test_by_default_edge_and_region_are_followed_and_shown(given: dict[str, str], url: str) -> None:
    assert load_settings({**RIGHT, **given}).twilio_api_url == url


def test_an_edge_that_is_no_part_of_a_host_stops_the_start() -> None:
    assert problem({**RIGHT, "TWILIO_EDGE": "a/b"}).startswith("TWILIO_EDGE: should be one part of a host's name")


def test_who_did_not_answer_is_named() -> None:
    client = PooledHttpClient(timeout=1.0)
    calls = TwilioCalls({SID: Account(SID, (SANDBOX_AUTH_TOKEN,))}, "http://nobody.invalid", client)

    with pytest.raises(TwilioUnavailable, match=r"Twilio did not answer at nobody\.invalid: "):
        next(calls.queued_calls(SID))
    client.close()
