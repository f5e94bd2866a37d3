"""Errors below `/api` are JSON, and those of other pages are left alone."""

import pytest

from callguard.config.api_keys import Role
from tests.web.api.served import SID, Services


@pytest.mark.parametrize(
    ("method", "path", "http_status", "code"),
    [
        ("GET", "/api", 404, "not_found"),
        ("GET", "/api/", 404, "not_found"),
        ("GET", "/api/nothing", 404, "not_found"),
        ("GET", "/api/accounts/", 404, "not_found"),
        ("GET", f"/api/accounts/{SID}/gate/", 404, "not_found"),
        ("POST", "/api/accounts", 405, "method_not_allowed"),
        ("GET", "/api/reports", 405, "method_not_allowed"),
        ("OPTIONS", "/api/reports", 405, "method_not_allowed"),
        ("PUT", f"/api/accounts/{SID}/campaigns", 405, "method_not_allowed"),
    ],
)
@pytest.mark.parametrize("has_key", [True, False])
def test_where_nothing_is(
    services: Services, has_key: bool, method: str, path: str, http_status: int, code: str
) -> None:
    client = services.client(Role.OPERATOR if has_key else None)

    answer = client.open(path, method=method)

    assert (answer.status_code, answer.content_type, answer.json["code"]) == (
        http_status,
        "application/json",
        code,
    )
    assert "/api/openapi.json" in answer.json["message"]
    assert ("Allow" in answer.headers) is (http_status == 405)


@pytest.mark.parametrize(("method", "path", "http_status"), [("GET", "/apis", 404), ("POST", "/page", 405)])
def test_other_pages_say_it_in_a_word(services: Services, method: str, path: str, http_status: int) -> None:
    answer = services.client().open(path, method=method)

    assert (answer.status_code, answer.mimetype) == (http_status, "text/plain")
    assert answer.text in ("Not Found\n", "Method Not Allowed\n")
    assert ("Allow" in answer.headers) is (http_status == 405)


def test_a_failure_of_ours_tells_nothing_of_the_request(
    services: Services, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise RuntimeError("+15550001111")

    monkeypatch.setattr(services.readings, "read", fail)

    answer = services.client().get("/api/accounts")

    assert (answer.status_code, answer.json["code"]) == (500, "internal_error")
    assert "1111" not in answer.text
