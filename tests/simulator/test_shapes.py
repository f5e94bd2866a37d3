"""Every reply against Twilio's own OpenAPI document, when it lies beside the checkout."""

import json
import re
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import requests

from callguard.simulator import SANDBOX_ACCOUNT_SID, SANDBOX_AUTH_TOKEN, Behaviour, RunawayPlan
from tests.simulator.conftest import Simulate
from tests.waiting import wait_until

SID = SANDBOX_ACCOUNT_SID
DOCUMENT = Path("shared/reference/twilio_calls_openapi.json")
CALLS = f"/2010-04-01/Accounts/{SID}/Calls.json"
LIST_PATH = "/2010-04-01/Accounts/{AccountSid}/Calls.json"


@pytest.fixture(scope="module")
def openapi() -> Any:
    for folder in Path(__file__).resolve().parents:
        if (folder / DOCUMENT).is_file():
            return json.loads((folder / DOCUMENT).read_text())
    return pytest.skip(f"Twilio's OpenAPI document is not here: no {DOCUMENT} above the checkout")


def check(reply: Any, schema: Any, openapi: Any) -> None:
    """The reply matches the schema and has all of its fields and no other."""
    root = _json_schema({**schema, "components": openapi["components"]})
    jsonschema.Draft202012Validator(root).validate(reply)
    while "$ref" in schema:
        schema = openapi["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    assert set(reply) == set(schema["properties"])
    for name, field in schema["properties"].items():
        if field.get("format") == "date-time-rfc-2822" and reply[name] is not None:
            assert parsedate_to_datetime(reply[name]).tzinfo is not None


def _json_schema(schema: Any) -> Any:
    """OpenAPI 3.0 says `nullable: true` where JSON Schema says `type: [..., "null"]`."""
    if isinstance(schema, list):
        return [_json_schema(part) for part in schema]
    if not isinstance(schema, dict):
        return schema
    translated = {name: _json_schema(part) for name, part in schema.items()}
    if schema.get("nullable") is True and "type" in schema:
        translated["type"] = [schema["type"], "null"]
    return translated


def reply_schema(openapi: Any, path: str, method: str, http: str) -> Any:
    return openapi["paths"][path][method]["responses"][http]["content"]["application/json"]["schema"]


def test_calls_in_every_status_and_their_pages(simulate: Simulate, openapi: Any) -> None:
    behaviour = Behaviour(0, 0, answered=0.25, busy=0.25, no_answer=0.25, failed=0.25)
    simulator = simulate(cps=40, behaviour=behaviour)
    auth = (SID, SANDBOX_AUTH_TOKEN)
    simulator.start_runaway(SID, RunawayPlan(100))
    wait_until(lambda: simulator.account(SID).dialled > 20)
    simulator.change(SID, cps=0.01)  # so that the others stay queued
    queued = next(sid for sid, status in reversed(simulator.statuses(SID).items()) if status == "queued")

    with requests.Session() as session:
        session.auth = auth
        form = {"To": 'client:añna"', "From": "+15005550001", "Twiml": "<Response/>"}
        created = session.post(simulator.url + CALLS, data=form)
        updated = session.post(
            f"{simulator.url}/2010-04-01/Accounts/{SID}/Calls/{queued}.json", data={"Status": "canceled"}
        )
        fetched = session.get(f"{simulator.url}/2010-04-01/Accounts/{SID}/Calls/{queued}.json")
        page: Any = {"next_page_uri": f"{CALLS}?PageSize=40&To%3Dx=y"}
        pages = []
        while page["next_page_uri"]:
            page = session.get(simulator.url + page["next_page_uri"]).json()
            pages.append(page)
        previous = session.get(simulator.url + pages[1]["previous_page_uri"]).json()
        empty = session.get(f"{simulator.url}{CALLS}?To=nobody").json()

    call_schema = {"$ref": "#/components/schemas/api.v2010.account.call"}
    assert created.status_code == 201
    for reply in (created, updated, fetched):
        check(reply.json(), call_schema, openapi)
    for page in (*pages, previous, empty):
        check(page, reply_schema(openapi, LIST_PATH, "get", "200"), openapi)
    calls = [call for page in pages for call in page["calls"]]
    for call in calls:
        check(call, call_schema, openapi)
    assert {call["status"] for call in calls} >= {"queued", "completed", "busy", "no-answer", "failed", "canceled"}
    assert [call["sid"] for call in previous["calls"]] == [call["sid"] for call in pages[0]["calls"]]
    assert [(page["page"], page["start"], page["end"]) for page in pages] == [
        (0, 0, 39),
        (1, 40, 79),
        (2, 80, 100),
    ]
    assert (empty["start"], empty["end"], empty["next_page_uri"]) == (0, 0, None)


def test_field_names_of_a_call_match_the_documents_own_examples(simulate: Simulate, openapi: Any) -> None:
    simulator = simulate()
    form = {"To": "+13051913581", "From": "+442071838750", "Twiml": "<Response/>"}

    call = requests.post(simulator.url + CALLS, data=form, auth=(SID, SANDBOX_AUTH_TOKEN), timeout=10).json()

    examples = openapi["paths"][LIST_PATH]["get"]["responses"]["200"]["content"]["application/json"]["examples"]
    example = examples["readFullPage1"]["value"]["calls"][0]
    assert set(call) == set(example)
    assert set(call["subresource_uris"]) == set(example["subresource_uris"])
    for name, uri in example["subresource_uris"].items():
        ours = (
            call["subresource_uris"][name]
            .replace(call["sid"], example["sid"])
            .replace(SID, example["account_sid"])
        )
        assert ours == uri
    assert (call["to_formatted"], call["from_formatted"]) == ("(305) 191-3581", "+442071838750")


def test_errors_have_twilios_shape(simulate: Simulate) -> None:
    reply = requests.get(simulate().url + CALLS, timeout=10)

    assert reply.json() == {
        "code": 20003,
        "message": "Authenticate",
        "more_info": "https://www.twilio.com/docs/errors/20003",
        "status": 401,
    }
    assert re.match("application/json", reply.headers["Content-Type"])
