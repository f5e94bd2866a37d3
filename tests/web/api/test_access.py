"""Who may ask what: every role on every route, and this machine's programs where there are no keys."""

from collections.abc import Iterator
from typing import Any

import pytest
from flask import Flask

from callguard.config.api_keys import Role
from tests.web.api.served import FROM, KEYS, SID, TO, Services, reported

FOR_REPORTERS = {("GET", "/api/accounts/<sid>/gate"), ("POST", "/api/reports")}
OPEN = {("GET", "/api/openapi.json")}


def routes(app: Flask) -> Iterator[tuple[str, str]]:
    for rule in app.url_map.iter_rules():
        if rule.rule.startswith("/api"):
            for method in sorted((rule.methods or set()) - {"HEAD"}):
                yield method, rule.rule


def concrete(path: str) -> str:
    return path.replace("<sid>", SID).replace("<campaign_id>", "0" * 8).replace("<call_sid>", "CA")


def may(role: Role, method: str, path: str) -> bool:
    return role is Role.OPERATOR or ((method, path) in FOR_REPORTERS if role is Role.REPORTER else method == "GET")


@pytest.mark.parametrize("role", Role)
@pytest.mark.parametrize("sent_as", ["x-api-key", "Bearer", "bearer"])
def test_a_role_may_what_it_may(services: Services, role: Role, sent_as: str) -> None:
    client = services.client(None)
    key = KEYS[role].key
    headers = {"x-api-key": key} if sent_as == "x-api-key" else {"Authorization": f"{sent_as} {key}"}

    for method, path in routes(client.application):
        answer = client.open(concrete(path), method=method, headers=headers)

        is_refused = not may(role, method, path) and (method, path) not in OPEN
        assert (answer.status_code == 403) is is_refused, (method, path, answer.text)
        assert answer.status_code != 401
        assert answer.headers["Cache-Control"] == "no-store"
        if is_refused:
            assert answer.json["code"] == "forbidden"
            assert "operator" in answer.json["message"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-api-key": ""},
        {"x-api-key": "key-of-operato"},
        {"x-api-key": "the operator:operator:key-of-operator"},
        {"x-api-key": "k\xe9y"},
        {"Authorization": "Bearer nobody's"},
        {"Authorization": "Basic key-of-operator"},
        {"Authorization": "key-of-operator"},
        {"x-api-key": "wrong", "Authorization": "Bearer key-of-operator"},
    ],
)
def test_without_a_right_key_nothing_is_told(services: Services, headers: dict[str, str]) -> None:
    client = services.client(None)

    for method, path in routes(client.application):
        answer = client.open(concrete(path), method=method, headers=headers)

        assert answer.status_code == (200 if (method, path) in OPEN else 401), (method, path)
        if answer.status_code == 401:
            assert answer.json["code"] == "unauthorized"
            assert "CALLGUARD_API_KEY" in answer.json["message"]
            assert answer.headers["WWW-Authenticate"].startswith("Bearer")


def test_a_head_request_needs_a_key_as_its_get_does(services: Services) -> None:
    assert services.client(None).head("/api/accounts").status_code == 401
    assert services.client(Role.VIEWER).head("/api/accounts").status_code == 200
    assert services.client(Role.REPORTER).head("/api/accounts").status_code == 403


def test_a_refused_report_is_not_counted(services: Services) -> None:
    answer = services.client(Role.VIEWER).post("/api/reports", json={"calls": [reported()]})

    assert answer.status_code == 403
    assert services.reported == []


LOCAL: list[dict[str, Any]] = [
    {},
    {"environ_overrides": {"REMOTE_ADDR": "127.8.9.1"}},
    {"environ_overrides": {"REMOTE_ADDR": "::1"}},
    {"environ_overrides": {"REMOTE_ADDR": "::ffff:127.0.0.1"}},
    {"headers": {"Host": "127.0.0.1:8000"}},
    {"headers": {"Host": "[::1]:8000"}},
    {"headers": {"Host": "guard.localhost"}},
    {"headers": {"Origin": "http://localhost:8000"}},
]
NOT_LOCAL: list[dict[str, Any]] = [
    {"environ_overrides": {"REMOTE_ADDR": "10.0.0.7"}},
    {"environ_overrides": {"SERVER_PROTOCOL": "HTTP/1.0"}},
    {"environ_overrides": {"REMOTE_ADDR": "::ffff:10.0.0.7"}},
    {"environ_overrides": {"REMOTE_ADDR": ""}},
    {"environ_overrides": {"REMOTE_ADDR": "localhost"}},
    {"headers": {"X-Forwarded-For": "127.0.0.1"}},
    {"headers": {"X-Forwarded-Host": "localhost"}},
    {"headers": {"Forwarded": "for=127.0.0.1"}},
    {"headers": {"X-Real-IP": "127.0.0.1"}},
    {"headers": {"Via": "1.1 proxy"}},
    {"headers": {"Host": "rebound.example.com"}},
    {"headers": {"Host": "rebound.example.com:80"}},
    {"headers": {"Host": "10.0.0.7"}},
    {"headers": {"Host": "evil.example@localhost"}},
    {"headers": {"Host": "localhost.example.com"}},
    {"headers": {"Host": "[::1"}},
    {"headers": {"Host": ""}},
    {"headers": {"Origin": "https://evil.example.com"}},
    {"headers": {"Origin": "null"}},
]


@pytest.mark.parametrize("asked", LOCAL)
def test_without_keys_this_machine_is_answered(services: Services, asked: dict[str, Any]) -> None:
    services.api_keys = ()

    assert services.client(None).get("/api/accounts", **asked).status_code == 200


@pytest.mark.parametrize("asked", NOT_LOCAL)
def test_without_keys_nobody_else_is(services: Services, asked: dict[str, Any]) -> None:
    services.api_keys = ()
    client = services.client(None)

    for method, path in routes(client.application):
        answer = client.open(concrete(path), method=method, **asked)

        assert answer.status_code == (200 if (method, path) in OPEN else 403), (method, path)
        if answer.status_code == 403:
            assert answer.json["code"] == "loopback_only"
            assert "set CALLGUARD_API_KEY" in answer.json["message"]


@pytest.mark.parametrize("asked", [*LOCAL, *NOT_LOCAL])
def test_without_keys_a_public_guard_answers_nobody(services: Services, asked: dict[str, Any]) -> None:
    """A proxy or a tunnel on this machine may ask for anybody, and not each says that it is one."""
    services.api_keys, services.public_url = (), "https://guard.example.com"
    client = services.client(None)

    for method, path in routes(client.application):
        answer = client.open(concrete(path), method=method, **asked)

        assert (answer.status_code == 403) is ((method, path) not in OPEN), (method, path)
        if answer.status_code == 403:
            assert "set CALLGUARD_API_KEY" in answer.json["message"]


@pytest.mark.parametrize("asked", [{}, *NOT_LOCAL])
def test_with_keys_the_way_does_not_matter(services: Services, asked: dict[str, Any]) -> None:
    """This machine needs a key too, and with one a proxy is welcome."""
    assert services.client(None).get("/api/accounts", **asked).status_code == 401
    assert services.client(Role.VIEWER).get("/api/accounts", **asked).status_code == 200


def test_no_answer_holds_a_whole_number(services: Services) -> None:
    """Reports and campaigns bring numbers in; no role reads them from any route, good answer or bad."""
    client = services.client()
    calls = [reported(1), reported(2, sid=FROM, queue_time=TO, status=FROM, date_created=TO)]
    client.post("/api/reports", json={"calls": calls[:1]})
    path = f"/api/accounts/{SID}/campaigns"
    client.post(path, json={"calls": 9, "from": [FROM, TO], "until": "2999-01-01T00:00:00Z", FROM: TO})
    asked = [
        client.post("/api/reports", json={"calls": calls[:1]}),
        client.post("/api/reports", json={"calls": calls}),
    ]
    asked += [client.post(path, json={"calls": FROM, "from": f"{FROM}*", "until": TO, TO: FROM})]
    asked += [client.open(concrete(path), method=method) for method, path in routes(client.application)]
    asked += [client.get(f"/api/accounts/{FROM}"), client.get(f"/api/{FROM}"), client.delete(f"{path}/{FROM}")]

    for answer in asked:
        assert FROM[2:] not in answer.text
        assert TO[2:] not in answer.text
