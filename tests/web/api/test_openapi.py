"""The OpenAPI document: of the routes that there are, and true."""

from datetime import UTC, datetime
from typing import Any

from jsonschema import Draft202012Validator

from callguard.config.keys import Role
from callguard.web.api.openapi import openapi_path
from tests.web.api.served import SID, Services, reported


def validator(document: dict[str, Any], schema: dict[str, Any]) -> Draft202012Validator:
    return Draft202012Validator({**schema, "components": document["components"]})


def schema_of(document: dict[str, Any], method: str, path: str, http_status: int) -> dict[str, Any]:
    response = document["paths"][path][method.lower()]["responses"][str(http_status)]
    schema: dict[str, Any] = response["content"]["application/json"]["schema"]
    return schema


def test_it_is_of_exactly_the_routes_that_there_are(services: Services, document: dict[str, Any]) -> None:
    there_are = {
        (method, openapi_path(rule.rule))
        for rule in services.app().url_map.iter_rules()
        if rule.rule.startswith("/api")
        for method in (rule.methods or set()) - {"HEAD"}
    }

    described = {(method.upper(), path) for path, methods in document["paths"].items() for method in methods}

    assert described == there_are


def test_its_schemas_are_schemas(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    for schema in document["components"]["schemas"].values():
        Draft202012Validator.check_schema(schema)


def test_every_operation_says_what_it_is(document: dict[str, Any]) -> None:
    operations = [op for methods in document["paths"].values() for op in methods.values()]

    assert len({op["operationId"] for op in operations}) == len(operations)
    for operation in operations:
        assert operation["summary"].endswith(".")
        assert "401" in operation["responses"] or operation["security"] == []


def test_every_field_says_what_it_is(document: dict[str, Any]) -> None:
    lists = {"accounts", "campaigns"}
    for name, schema in document["components"]["schemas"].items():
        for field, described in schema.get("properties", {}).items():
            assert "description" in described or field in lists, (name, field)


def test_answers_are_as_described(services: Services, document: dict[str, Any]) -> None:
    campaigns, call = "/api/accounts/{sid}/campaigns", reported()
    announcement = {"calls": 5, "until": "2999-01-01T00:00:00Z"}
    asked: list[tuple[str, str, Role | None, Any, int]] = [
        ("GET", "/api/accounts", Role.VIEWER, None, 200),
        ("GET", "/api/accounts", None, None, 401),
        ("GET", "/api/accounts", Role.REPORTER, None, 403),
        ("GET", "/api/accounts/{sid}", Role.VIEWER, None, 200),
        ("GET", "/api/accounts/{sid}/gate", Role.REPORTER, None, 200),
        ("POST", "/api/reports", Role.REPORTER, {"calls": [call]}, 200),
        ("POST", "/api/reports", Role.REPORTER, {"calls": [{**call, "sid": 1}]}, 400),
        ("POST", "/api/reports", Role.REPORTER, None, 415),
        ("GET", campaigns, Role.VIEWER, None, 200),
        ("POST", campaigns, Role.OPERATOR, announcement, 400),
        ("DELETE", campaigns + "/{campaign_id}", Role.OPERATOR, None, 404),
        ("PUT", "/api/call/cancel/{call_sid}", Role.OPERATOR, None, 200),
        ("PUT", "/api/call/cancel", Role.OPERATOR, None, 200),
    ]

    for method, path, role, body, http_status in asked:
        concrete = path.format(sid=SID, campaign_id="0" * 8, call_sid="CA")
        answer = services.client(role).open(concrete, method=method, json=body)

        assert answer.status_code == http_status, (method, path)
        validator(document, schema_of(document, method, path, http_status)).validate(answer.json)


def test_a_release_is_as_described(services: Services, document: dict[str, Any]) -> None:
    path = "/api/accounts/{sid}/campaigns"
    until = datetime.fromtimestamp(services.clock.ms / 1000 + 60, UTC).isoformat()
    created = services.client().post(path.format(sid=SID), json={"calls": 5, "until": until}).json
    schema = schema_of(document, "DELETE", path + "/{campaign_id}", 200)

    for query in ("", "?release=true"):
        ended = services.client().delete(f"{path.format(sid=SID)}/{created['campaigns'][0]['id']}{query}").json
        validator(document, schema).validate(ended)
        assert ("released" in ended) is bool(query)


def test_what_a_report_may_be(document: dict[str, Any]) -> None:
    schema = document["paths"]["/api/reports"]["post"]["requestBody"]["content"]["application/json"]["schema"]
    check = validator(document, schema)

    check.validate({"calls": [reported(), reported(queue_time=None, status=None) | {"from": None}]})
    assert not check.is_valid({"calls": []})
    assert not check.is_valid({"calls": [reported(sid="CA1")]})
    assert not check.is_valid({"calls": [reported(status="lost")]})
