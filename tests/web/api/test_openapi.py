"""The OpenAPI document: of the routes that there are, and true."""

from datetime import UTC, datetime
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from callguard.config.api_keys import Role
from callguard.web.api.examples import NOW_MS, TAKEN
from callguard.web.api.json_bodies import checked
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


def operations_of(document: dict[str, Any]) -> list[dict[str, Any]]:
    return [operation for methods in document["paths"].values() for operation in methods.values()]


def test_every_operation_is_in_a_group_that_is_described(document: dict[str, Any]) -> None:
    groups = [tag["name"] for tag in document["tags"] if tag["description"].endswith(".")]

    assert {tag for operation in operations_of(document) for tag in operation["tags"]} == set(groups)
    assert all(len(operation["tags"]) == 1 for operation in operations_of(document))


def test_every_parameter_of_a_path_has_its_pattern(document: dict[str, Any]) -> None:
    parameters = [one for operation in operations_of(document) for one in operation.get("parameters", [])]
    of_paths = {one["name"]: one["schema"] for one in parameters if one["in"] == "path"}

    assert set(of_paths) == {"sid", "call_sid", "campaign_id"}
    for schema in of_paths.values():
        check = Draft202012Validator(schema)
        (example,) = schema["examples"]
        assert check.is_valid(example)
        assert not any(map(check.is_valid, ("", "x", f"{example}0", f"{example}\n", f"{example}/")))


@pytest.mark.parametrize("public_url", ["http://127.0.0.1:8124", "https://a.example/guard/?pass=word"])
def test_it_says_where_the_guard_is_and_no_secret(services: Services, public_url: str) -> None:
    services.public_url = public_url

    document = services.client(None).get("/api/openapi.json").json

    assert [server["url"] for server in document["servers"]] == ["/guard" if "guard" in public_url else "/"]
    assert "pass=word" not in str(document)


def test_every_good_answer_and_body_has_examples_as_described(document: dict[str, Any]) -> None:
    for operation in operations_of(document):
        (good,) = [answer for status, answer in operation["responses"].items() if status[0] == "2"]
        media = [good["content"]["application/json"]]
        media += [operation["requestBody"]["content"]["application/json"]] if "requestBody" in operation else []
        for described in media:
            examples = described.get("examples", {})
            assert examples or operation["operationId"] == "get_openapi"
            for example in examples.values():
                validator(document, described["schema"]).validate(example["value"])


@pytest.mark.parametrize("model", TAKEN)
def test_bodies_of_examples_are_taken(model: type[BaseModel]) -> None:
    for body in TAKEN[model].values():
        checked(model, body, NOW_MS)


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
