from typing import Any

import pytest
from twilio.http.async_http_client import AsyncTwilioHttpClient
from twilio.http.http_client import TwilioHttpClient

from callguard.client import GuardedHttpClient
from callguard.client.settings import read_settings

URL = "https://guard.example.com"


def test_the_environment_names_the_guard_when_the_arguments_do_not() -> None:
    environ = {"CALLGUARD_URL": "http://elsewhere:8080/", "CALLGUARD_CLIENT_KEY": "from-environment"}

    assert read_settings(None, None, 0.3, 1.0, environ).url == "http://elsewhere:8080"
    assert read_settings(None, None, 0.3, 1.0, environ).api_key == "from-environment"
    assert read_settings(URL, "given", 0.3, 1.0, environ).url == URL
    assert read_settings(URL, "given", 0.3, 1.0, environ).api_key == "given"


def test_the_client_reads_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CALLGUARD_URL", URL)
    monkeypatch.setenv("CALLGUARD_CLIENT_KEY", "k")

    assert GuardedHttpClient().timeout == 10.0, "an explicit timeout, unlike the library's own"


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"guard_url": None}, "guard_url: missing.*CALLGUARD_URL"),
        ({"guard_url": "guard.example.com"}, "guard_url: not a plain http"),
        ({"guard_url": "http://[::1"}, "guard_url: not a plain http"),
        ({"guard_url": "http://guard:port"}, "guard_url: not a plain http"),
        ({"guard_url": "https://guard.example.com?x=1"}, "guard_url: not a plain http"),
        ({"api_key": None}, "api_key: missing.*CALLGUARD_CLIENT_KEY"),
        ({"api_key": "secret\n"}, "api_key: holds"),
        ({"fail": "maybe"}, 'fail: \'maybe\' is unknown; give "open" or "closed"'),
        ({"gate_timeout": 0}, "gate_timeout: 0 is not a wait"),
        ({"answer_seconds": float("inf")}, "answer_seconds: inf is not a wait"),
        ({"timeout": -1}, "timeout: -1 is not a wait"),
        ({"timeout": 3, "http_client": TwilioHttpClient()}, "timeout: set it on your own"),
        ({"http_client": AsyncTwilioHttpClient.__new__(AsyncTwilioHttpClient)}, "http_client: asynchronous"),
    ],
)
def test_a_bad_argument_is_named_with_its_fix(options: dict[str, Any], said: str) -> None:
    if isinstance(options.get("http_client"), AsyncTwilioHttpClient):
        options["http_client"].is_async = True  # its __init__ wants a running event loop

    with pytest.raises(ValueError, match=said) as caught:
        GuardedHttpClient(**{"guard_url": URL, "api_key": "k", **options})

    assert "secret" not in str(caught.value)
