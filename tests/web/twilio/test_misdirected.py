"""Twilio's own requests at a wrong address are refused, counted, and come with the advice that helps."""

import hashlib
import json

import pytest
from werkzeug.test import TestResponse

from tests.web.twilio.callbacks import (
    OTHER_TOKEN,
    PUBLIC_URL,
    SID,
    UNKNOWN_SID,
    URL,
    Services,
    fields,
    get,
    post,
    signed,
)
from tests.web.twilio.event_batches import EventServices, created, send


def posted_to(services: Services, path: str, headers: dict[str, str], **options: object) -> TestResponse:
    return services.client().post(path, data=fields(), headers=headers, **options)


@pytest.mark.parametrize(
    ("public_url", "signed_url", "query", "advice"),
    [
        (PUBLIC_URL, f"{URL}?campaign=7", "campaign=7", "has no query"),
        (f"{PUBLIC_URL}?team=1", f"{URL}?team=2", "team=2", "has another query"),
        (f"{PUBLIC_URL}?team=1", URL, "", "has another query"),
        (PUBLIC_URL, f"{URL}/", "", "a slash at its end"),
        (f"{PUBLIC_URL}/guard", URL, "", "its path is another one"),
        (PUBLIC_URL, URL.replace("https", "http"), "", "another scheme or host"),
        (PUBLIC_URL, "https://localhost/twilio/status", "", "another scheme or host"),
    ],
)
def test_a_right_signature_over_another_url_is_told_and_counted(
    public_url: str, signed_url: str, query: str, advice: str, caplog: pytest.LogCaptureFixture
) -> None:
    services = Services(public_url)
    host = {"HTTP_HOST": "guard.example.com"} if "localhost" not in signed_url else {}
    if "http:" in signed_url:
        host = {"HTTP_HOST": "guard.example.com:80"}
        signed_url = "http://guard.example.com:80/twilio/status"

    answer = post(services.client(), fields(), signed(fields(), url=signed_url), query=query, environ=host)

    assert (answer.status_code, answer.data) == (403, b"")
    assert services.taken == []
    assert services.refused == [(SID, "wrong_url")]
    ((_, what, text),) = services.told
    assert what == "callbacks:misdirected"
    assert advice in text
    assert advice in caplog.text
    assert "twilio/status" in text


def test_the_advice_names_the_query_but_not_what_is_in_it(caplog: pytest.LogCaptureFixture) -> None:
    services, query = Services(), "campaign=secret&name=jane"

    post(services.client(), fields(), signed(fields(), url=f"{URL}?{query}"), query=query)

    ((_, _, text),) = services.told
    assert "/twilio/status?campaign=*****&name=*****" in text
    assert "secret" not in text + caplog.text


def test_a_get_to_another_path_is_known_too() -> None:
    services = Services()
    query = "&".join(f"{name}={value}" for name, value in {"AccountSid": SID, "CallSid": "x"}.items())

    answer = services.client().get(f"/twilio/status/?{query}", headers=signed({}, url=f"{URL}/?{query}"))

    assert answer.status_code == 404
    assert services.refused == [(SID, "wrong_url")]
    assert "CallSid" not in services.told[0][2]


@pytest.mark.parametrize(
    "path", ["/twilio/status/", "/twilio/Status", "/Twilio/Status", "/twilio/", "/twilio/x/y"]
)
def test_a_path_that_is_none_leaves_a_trace(path: str, caplog: pytest.LogCaptureFixture) -> None:
    services = Services()

    answer = posted_to(services, path, signed(fields(), url=PUBLIC_URL + path))

    assert answer.status_code == 404
    assert services.refused == [(SID, "wrong_url")]
    assert f"'{path}'" in caplog.text
    assert services.told[0][1] == "callbacks:misdirected"


def test_strangers_at_such_paths_fill_neither_log_nor_store(caplog: pytest.LogCaptureFixture) -> None:
    services = Services()
    client = services.client()

    for number in range(20):
        assert client.post(f"/twilio/{number}", data={"AccountSid": UNKNOWN_SID}).status_code == 404
        assert client.get(f"/twilio/wp-admin/{number}").status_code == 404
    assert client.post("/twilio/x", json={"a": 1}).status_code == 404

    assert services.refused == []
    assert services.told == []
    assert len(caplog.records) == 1


def test_a_wrong_signature_is_not_taken_for_a_right_one_elsewhere() -> None:
    services = Services()
    for headers in (
        signed(fields(), token=OTHER_TOKEN),
        signed(fields(), url="https://evil.example.com/twilio/status"),
        signed(fields(SequenceNumber="1"), url=f"{URL}/"),
        {},
    ):
        assert post(services.client(), fields(), headers, query="a=b").status_code == 403
        assert posted_to(services, "/twilio/status/", headers).status_code == 404

    assert services.told == []
    assert services.refused == [(SID, "forbidden"), (SID, "not_found")] * 4


ESCAPED = (
    f"AccountSid={SID}&CallSid=CA{'1' * 32}&CallStatus=initiated&From=%2B15550001111&SequenceNumber=0"
    "&Timestamp=Mon%2C%2021%20Sep%202026%2014%3A13%3A20%20%2B0000&To=sip%3aalice%40example.com&x=L%27Anse"
)


@pytest.mark.parametrize(
    "undone",
    [{}, {"%3A": ":", "%3a": ":"}, {"%3A": ":", "%3a": ":", "%40": "@"}, {"%27": "'"},
     {"%3A": ":", "%3a": ":", "%40": "@", "%27": "'", "%2C": ","}],
)  # fmt: skip
def test_a_get_is_accepted_as_twilio_signs_it(undone: dict[str, str]) -> None:
    services, text = Services(), ESCAPED
    for escape, character in undone.items():
        text = text.replace(escape, character)

    assert get(services.client(), ESCAPED, signed({}, url=f"{URL}?{text}")).status_code == 204
    assert len(services.taken) == 1


@pytest.mark.parametrize(("escape", "character"), [("%2B", "+"), ("%20", " "), ("%3D", "="), ("%26", "&")])
def test_an_escape_that_means_something_is_not_undone(escape: str, character: str) -> None:
    services, query = Services(), ESCAPED + "&y=a%26b%3Dc"

    answer = get(services.client(), query, signed({}, url=f"{URL}?{query.replace(escape, character)}"))

    assert answer.status_code == 403
    assert services.taken == []


def test_a_batch_of_events_that_was_signed_for_another_url_is_told(caplog: pytest.LogCaptureFixture) -> None:
    services, body = EventServices(), json.dumps([created()]).encode()
    query = f"team=7&bodySHA256={hashlib.sha256(body).hexdigest()}"
    headers = signed({}, url=f"{PUBLIC_URL}/twilio/events?{query}")

    answer = send(services, body, headers=headers, environ={"QUERY_STRING": query})

    assert answer.status_code == 403
    assert services.taken == []
    assert (
        "Twilio signed it for https://guard.example.com/twilio/events?team=*****&bodySHA256=*****" in caplog.text
    )
