"""The document promises no more of a text than is taken."""

import json
import re
from datetime import datetime
from typing import Any

import pytest
from hypothesis import assume
from hypothesis import given as for_all
from hypothesis import strategies as some
from jsonschema import Draft202012Validator

from callguard.config.policy_texts import number
from callguard.domain.drain_time import MAX_QUEUE_MS
from callguard.web.api import schemas
from callguard.web.api.campaign_views import NewCampaign
from callguard.web.api.json_bodies import BadBody, checked
from callguard.web.api.reported_calls import CreatedCalls
from callguard.web.moments import unix_ms
from tests.web.api.served import reported
from tests.web.api.test_campaigns import WRONG

NOW_MS = 1_795_269_600_000
WITHIN = "2026-11-21T18:00:00Z"


def matching(schema: schemas.Schema) -> some.SearchStrategy[str]:
    """Return texts that a schema takes."""
    texts = some.from_regex(re.compile(schema["pattern"]))
    return texts.filter(Draft202012Validator(schema).is_valid)


def is_promised(schema: schemas.Schema, given: Any) -> bool:
    return Draft202012Validator(schema).is_valid(given)


@for_all(matching(schemas.NUMBER))
def test_every_number_that_is_promised_can_be_announced(sender: str) -> None:
    assert number(sender) == sender
    assert "*" not in sender
    checked(NewCampaign, {"calls": 1, "from": sender, "until": WITHIN}, NOW_MS)


@for_all(matching(schemas.MOMENT))
def test_every_moment_that_is_promised_is_one(text: str) -> None:
    assume(_is_a_day(text[:10], "%Y-%m-%d"))

    unix_ms(text)


@for_all(matching(schemas.MOMENT_OF_TWILIO))
def test_every_moment_of_twilios_that_is_promised_is_one(text: str) -> None:
    assume(text and (text[0] == "2" or _is_a_day(" ".join(text.split()[1:4]), "%d %b %Y")))
    assume(text[0] != "2" or _is_a_day(text[:10], "%Y-%m-%d"))

    unix_ms(text)


@for_all(matching(schemas.LINE), matching(schemas.QUEUE_TIME["anyOf"][1]))
def test_every_report_that_is_promised_is_taken(line: str, queue_time: str) -> None:
    call = reported(**{"from": line, "to": line, "queue_time": queue_time})

    checked(CreatedCalls, {"calls": [call]}, NOW_MS)


def _is_a_day(text: str, form: str) -> bool:
    try:
        datetime.strptime(text, form)  # noqa: DTZ007
    except ValueError:
        return False
    return True


WHOEVER = (
    *("+15551230000", "911", "12345", "415jack", "jack", "sales.desk_2", "Anonymous", "whatsapp:+15550001111"),
    *("client:joey?a=b", "client:ja ne", "client:j\u00e4ne", "SIP:a", "sip:a@example.com:5061;transport=tls"),
)


@pytest.mark.parametrize("sender", WHOEVER)
def test_whoever_may_call_is_promised(sender: str) -> None:
    assert is_promised(schemas.NUMBER, sender)
    number(sender)


@pytest.mark.parametrize("sender", [wrong for wrong in WRONG["from"] if not isinstance(wrong, list | dict)])
def test_who_cannot_be_announced_is_not_promised(sender: object) -> None:
    assert not is_promised(schemas.NUMBER, sender)


@pytest.mark.parametrize(
    "until", ["", "tomorrow", "2026-11-21T18:00:00", "2026-11-21", "2026-11-21T18:00:00Z\n", 1, None]
)
def test_what_is_no_moment_is_not_promised(until: object) -> None:
    assert not is_promised(schemas.MOMENT, until)


def _each(name: str, *wrong: Any) -> list[tuple[str, Any]]:
    return [(name, given) for given in wrong]


WRONG_IN_REPORTS: list[tuple[str, Any]] = [
    *_each("from", "a\x00", "\x7f", "a\n", "a\u2028", "\x9f", "a" * 2049, 5),
    *_each("queue_time", -1, MAX_QUEUE_MS + 1, f"{MAX_QUEUE_MS + 1}", "-1", "1.5", "1\n", []),
    *_each("date_created", "now", "2026-11-21T18:00:00", "Sat, 21 Nov 2026 25:00:00 +0000", 1),
    *_each("age_ms", -1, 21_600_001, "1"),
    *_each("sid", "CA1", f"CA{'0' * 32}\n", None),
]


@pytest.mark.parametrize(("name", "wrong"), WRONG_IN_REPORTS)
def test_what_is_refused_of_a_report_is_not_promised(name: str, wrong: object, document: dict[str, Any]) -> None:
    call = reported(**{name: wrong})
    body = document["paths"]["/api/reports"]["post"]["requestBody"]["content"]["application/json"]["schema"]

    with pytest.raises(BadBody):
        checked(CreatedCalls, {"calls": [call]}, NOW_MS)
    assert not is_promised({**body, "components": document["components"]}, {"calls": [call]})


def test_patterns_are_such_that_javascript_reads_them(document: dict[str, Any]) -> None:
    patterns = re.findall(r'"pattern": ("(?:[^"\\]|\\.)*")', json.dumps(document))

    assert len(patterns) > 8
    for pattern in map(json.loads, patterns):
        assert not re.search(r"\(\?[^:=!<]|\(\?<[^=!]|\\[AZ]|[*+?}]\+", pattern), pattern
