"""Who may read the metrics, and what the probes tell a stranger."""

import logging
from typing import Any

import pytest

from callguard.bootstrap import Services, build
from callguard.config.settings import load_settings
from callguard.domain.results import ApiRefusal
from callguard.web import create_app
from tests.conftest import ACCOUNT_SID
from tests.web.api.test_access import LOCAL, NOT_LOCAL

KEYS = "grafana:viewer:key-of-viewer,me:operator:key-of-operator,shop:reporter:key-of-reporter"
TOKEN = "token-of-metrics"
LOOPBACK_URL, PUBLIC_URL = "http://127.0.0.1:8000", "https://guard.example.com"


def client(redis_url: str, public_url: str = PUBLIC_URL, **more: str) -> Any:
    return create_app(services(redis_url, public_url, **more)).test_client()


def services(redis_url: str, public_url: str = PUBLIC_URL, **more: str) -> Services:
    environ = {
        "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
        "TWILIO_AUTH_TOKEN": "a" * 32,
        "CALLGUARD_PUBLIC_URL": public_url,
        "CALLGUARD_REDIS_URL": redis_url,
        **more,
    }
    return build(load_settings(environ))


def sent_as(secret: str) -> list[dict[str, str]]:
    return [{"x-api-key": secret}, {"Authorization": f"Bearer {secret}"}, {"Authorization": f"bearer {secret}"}]


@pytest.mark.parametrize(
    ("given", "secret", "http_status"),
    [
        ({"CALLGUARD_API_KEY": KEYS}, "", 401),
        ({"CALLGUARD_API_KEY": KEYS}, "key-of-viewer", 200),
        ({"CALLGUARD_API_KEY": KEYS}, "key-of-operator", 200),
        ({"CALLGUARD_API_KEY": KEYS}, "key-of-reporter", 403),
        ({"CALLGUARD_API_KEY": KEYS}, TOKEN, 401),
        ({"CALLGUARD_API_KEY": KEYS, "CALLGUARD_METRICS_TOKEN": TOKEN}, TOKEN, 200),
        ({"CALLGUARD_API_KEY": KEYS, "CALLGUARD_METRICS_TOKEN": TOKEN}, "key-of-viewer", 200),
        ({"CALLGUARD_API_KEY": KEYS, "CALLGUARD_METRICS_TOKEN": TOKEN}, "", 401),
        ({"CALLGUARD_METRICS_TOKEN": TOKEN}, TOKEN, 200),
        ({"CALLGUARD_METRICS_TOKEN": TOKEN}, "", 401),
        ({"CALLGUARD_METRICS_TOKEN": TOKEN}, f"{TOKEN}x", 401),
    ],
)
@pytest.mark.parametrize("public_url", [LOOPBACK_URL, PUBLIC_URL])
def test_metrics_ask_for_a_key_or_the_token(
    redis_url: str, given: dict[str, str], secret: str, http_status: int, public_url: str
) -> None:
    asking = client(redis_url, public_url, **given)

    for headers in sent_as(secret) if secret else [{}]:
        answer = asking.get("/metrics", headers=headers)

        assert answer.status_code == http_status, headers
        assert (ACCOUNT_SID in answer.text) is (http_status == 200)
        assert ("WWW-Authenticate" in answer.headers) is (http_status == 401)


@pytest.mark.parametrize("asked", LOCAL)
def test_without_keys_this_machine_may_scrape_a_guard_that_is_not_public(
    redis_url: str, asked: dict[str, Any]
) -> None:
    assert client(redis_url, LOOPBACK_URL).get("/metrics", **asked).status_code == 200


@pytest.mark.parametrize("asked", NOT_LOCAL)
def test_without_keys_nobody_else_may(redis_url: str, asked: dict[str, Any]) -> None:
    answer = client(redis_url, LOOPBACK_URL).get("/metrics", **asked)

    assert answer.status_code == 403
    assert ACCOUNT_SID not in answer.text


@pytest.mark.parametrize("asked", [*LOCAL, *NOT_LOCAL])
def test_without_keys_a_public_guard_gives_nothing_away(redis_url: str, asked: dict[str, Any]) -> None:
    """A bare proxy, or a tunnel whose client says `Host: localhost`, looks like a program of this machine."""
    asking = client(redis_url)

    for path in ("/metrics", "/api/accounts", f"/api/accounts/{ACCOUNT_SID}", "/readyz", "/healthz", "/", "/docs"):
        answer = asking.get(path, **asked)

        assert answer.status_code == {"/readyz": 200, "/healthz": 200, "/": 404, "/docs": 404}.get(path, 403)
        assert ACCOUNT_SID not in answer.text


def test_who_is_not_let_in_is_counted(redis_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    guard = services(redis_url, CALLGUARD_API_KEY=KEYS)
    written: list[Any] = []

    def note(_: object, reason: ApiRefusal, peer: str) -> None:
        written.append((reason.value, peer))

    monkeypatch.setattr("callguard.web.Refusals.note", note)
    asking = create_app(guard).test_client()

    for path in ("/metrics", "/api/accounts"):
        asking.get(path)
        asking.get(path, headers={"x-api-key": "guessed-key"})
        asking.get(path, headers={"x-api-key": "key-of-reporter"})

    assert written == [(reason, "127.0.0.1") for reason in ("no_key", "wrong_key", "wrong_role")] * 2


def test_readiness_tells_no_address(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)
    asking = client("redis://127.0.0.1:9/0")

    answers = [asking.get("/readyz") for _ in range(5)]

    assert {answer.status_code for answer in answers} == {503}
    assert "127.0.0.1" not in answers[0].text
    assert len([record for record in caplog.records if "not ready" in record.getMessage()]) == 1
    assert "127.0.0.1:9" in caplog.text


def test_refusals_are_in_the_metrics(redis_url: str) -> None:
    guard = services(redis_url, LOOPBACK_URL)
    guard.api_refusals.add({"wrong_key": 3, "no_key": 1})
    guard.api_refusals.add({"wrong_key": 1})

    text = create_app(guard).test_client().get("/metrics").text

    assert 'callguard_api_refused_total{reason="wrong_key"} 4.0' in text
    assert 'callguard_api_refused_total{reason="wrong_role"} 0.0' in text
