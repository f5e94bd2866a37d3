"""What `/twilio/status` answers, and what it hands on."""

import io
import logging
from dataclasses import replace

import pytest
from flask.testing import FlaskClient
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import SIGNATURE_HEADER, SIGNATURE_SETTINGS_HEADER

from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.results import CallbackResult
from callguard.web.uncounted import MAX_AT_ONCE
from tests.examples import up_to
from tests.web.twilio.callbacks import (
    ACCOUNTS,
    CALL_SID,
    KEY,
    NOW_MS,
    OLD_TOKEN,
    OTHER_SID,
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

MARKS = ACCOUNTS[SID].hasher.of("+15550001111", "+15550002222")
TAKEN = [
    (
        SID,
        CallEvent(
            CALL_SID, CallStatus.INITIATED, NOW_MS, False, MARKS.sender, MARKS.sender_shown, MARKS.destination
        ),
    )
]
FORM_TYPE = "application/x-www-form-urlencoded"


@pytest.fixture
def services() -> Services:
    return Services()


@pytest.fixture
def client(services: Services) -> FlaskClient:
    return services.client()


def test_a_good_callback_is_taken(services: Services, client: FlaskClient) -> None:
    answer = post(client, fields(), signed(fields()))

    assert (answer.status_code, answer.data) == (204, b"")
    assert services.taken == TAKEN
    assert services.refused == []


def test_a_good_callback_may_come_by_get(services: Services, client: FlaskClient) -> None:
    query = (
        f"AccountSid={SID}&CallSid={CALL_SID}&CallStatus=initiated&From=%2B15550001111&SequenceNumber=0"
        "&Timestamp=Mon%2C+21+Sep+2026+14%3A13%3A20+%2B0000&To=client%3Ajane&x=%27&y=%C3%A9&ToCity="
    )

    answer = get(client, query, signed({}, url=f"{URL}?{query}"))

    assert (answer.status_code, answer.data) == (204, b"")
    ((_, event),) = services.taken
    assert event == replace(TAKEN[0][1], destination="")
    assert get(client, query + "&z=1", signed({}, url=f"{URL}?{query}")).status_code == 403


def test_a_shared_key_and_an_old_token_are_good_too(services: Services, client: FlaskClient) -> None:
    by_key = signed(fields(), token=KEY.secret, algorithm="HMAC_SHA256")
    by_key[SIGNATURE_SETTINGS_HEADER] = f"key={KEY.id},algorithm=HMAC_SHA256"

    assert post(client, fields(), by_key).status_code == 204
    assert post(client, fields(), signed(fields(), token=OLD_TOKEN)).status_code == 204
    assert services.taken == TAKEN * 2


@pytest.mark.parametrize(
    ("changes", "result"),
    [({"Direction": "inbound"}, "ignored"), ({"Timestamp": "Mon, 21 Sep 2015 14:00:00 +0000"}, "stale")],
)
def test_what_must_not_count_is_answered_well(
    services: Services, client: FlaskClient, changes: dict[str, str], result: str
) -> None:
    form = fields(**changes)

    answer = post(client, form, signed(form))

    assert (answer.status_code, answer.data) == (204, b"")
    assert services.taken == []
    assert services.refused == [(SID, result)]


@pytest.mark.parametrize(
    ("changes", "code"),
    [
        ({"Timestamp": None}, b"missing_timestamp"),
        ({"SequenceNumber": None}, b"missing_sequence_number"),
        ({"CallStatus": "<b>"}, b"unknown_call_status"),
        ({"CallSid": "CA1"}, b"bad_call_sid"),
    ],
)
def test_signed_but_malformed_is_answered_with_a_code(
    services: Services, client: FlaskClient, changes: dict[str, str | None], code: bytes
) -> None:
    form = fields(**changes)

    answer = post(client, form, signed(form))

    assert (answer.status_code, answer.data, answer.mimetype) == (400, code, "text/plain")
    assert services.refused == [(SID, "malformed")]
    assert services.taken == []


@pytest.mark.parametrize("value", [b"0", b"1"])
def test_a_repeated_name_is_malformed_even_if_it_is_signed(
    services: Services, client: FlaskClient, value: bytes
) -> None:
    class Repeated(dict[str, str]):
        def getall(self, name: str) -> list[str]:
            return [self[name], value.decode()] if name == "SequenceNumber" else [self[name]]

    body = "&".join(f"{name}={text.replace('+', '%2B')}" for name, text in fields().items()).encode()
    answer = post(client, body + b"&SequenceNumber=" + value, signed(Repeated(fields())))

    assert (answer.status_code, answer.data) == (400, b"duplicate_field")
    assert services.taken == []


def test_any_doubt_about_the_signature_is_a_403(services: Services, client: FlaskClient) -> None:
    good = signed(fields())[SIGNATURE_HEADER]
    doubts: list[dict[str, str] | list[tuple[str, str]]] = [
        {},
        {SIGNATURE_HEADER: ""},
        {SIGNATURE_HEADER: good[:-2] + "A="},
        {SIGNATURE_HEADER: "é" * 28},
        {SIGNATURE_HEADER: "A" * 60_000},
        [(SIGNATURE_HEADER, good), (SIGNATURE_HEADER, good)],
        {SIGNATURE_HEADER: good, SIGNATURE_SETTINGS_HEADER: "key=x,algorithm=HMAC_SHA1"},
        signed(fields(), token=OTHER_TOKEN),
        signed(fields(), url="https://evil.example.com/twilio/status"),
        signed(fields(SequenceNumber="1")),
    ]
    for headers in doubts:
        answer = post(client, fields(), headers)
        assert (answer.status_code, answer.data) == (403, b"")

    assert services.taken == []
    assert services.refused == [(SID, "forbidden")] * len(doubts)


def test_one_account_cannot_speak_for_another(services: Services, client: FlaskClient) -> None:
    form = fields(AccountSid=OTHER_SID)

    assert post(client, form, signed(form)).status_code == 403
    assert post(client, form, signed(form, token=OTHER_TOKEN)).status_code == 204
    assert services.refused == [(OTHER_SID, "forbidden")]


SPOOFS = [
    {"Host": "evil.example.com"},
    {"Host": "guard.example.com:444"},
    {"X-Forwarded-Host": "evil.example.com"},
    {"X-Forwarded-Proto": "http"},
    {"X-Forwarded-Port": "81"},
    {"X-Forwarded-Prefix": "/evil"},
    {"X-Forwarded-For": "10.0.0.1"},
    {"Forwarded": "host=evil.example.com;proto=http"},
    {"X-Original-Host": "evil.example.com"},
    {"X-Original-URL": "/evil"},
    {"X-Rewrite-URL": "/evil"},
    {"X-HTTP-Method-Override": "GET"},
]


@pytest.mark.parametrize("spoof", SPOOFS, ids=lambda spoof: str(*spoof))
def test_headers_have_no_say_in_the_url(services: Services, client: FlaskClient, spoof: dict[str, str]) -> None:
    forged = signed(fields(), url="https://evil.example.com/twilio/status")

    assert post(client, fields(), {**signed(fields()), **spoof}).status_code == 204
    assert post(client, fields(), {**forged, **spoof}).status_code == 403
    assert services.taken == TAKEN


def test_a_post_with_a_query_is_refused_unless_it_is_configured() -> None:
    headers = signed(fields(), url=f"{URL}?team=a%27b")
    plain, configured = Services(), Services(public_url=f"{PUBLIC_URL}?team=a%27b")

    assert post(plain.client(), fields(), headers, query="team=a%27b").status_code == 403
    assert post(configured.client(), fields(), headers, query="team=a%27b").status_code == 204
    assert post(configured.client(), fields(), headers, query="team=a'b").status_code == 403
    assert post(configured.client(), fields(), signed(fields())).status_code == 403
    assert (plain.taken, configured.taken) == ([], TAKEN)


@pytest.mark.parametrize(
    "content_type",
    ["", "application/json", "multipart/form-data; boundary=x", "text/plain", FORM_TYPE + "2", "é"],
)
def test_only_forms_are_read(services: Services, client: FlaskClient, content_type: str) -> None:
    answer = post(client, fields(), signed(fields()), environ={"CONTENT_TYPE": content_type})

    assert (answer.status_code, answer.data) == (415, b"")
    assert services.taken == []
    assert services.refused == [(SID, "unsupported_media_type")]


@pytest.mark.parametrize("content_type", [FORM_TYPE, FORM_TYPE.upper(), FORM_TYPE + " ; charset=utf-8"])
def test_a_forms_content_type_may_have_parameters(client: FlaskClient, content_type: str) -> None:
    assert post(client, fields(), signed(fields()), environ={"CONTENT_TYPE": content_type}).status_code == 204


@pytest.mark.parametrize(
    ("names", "size", "status"), [(237, 10, 204), (238, 10, 413), (4, 3800, 204), (4, 4096, 413)]
)
def test_a_callback_has_256_fields_and_16_kb_at_most(
    services: Services, client: FlaskClient, names: int, size: int, status: int
) -> None:
    form = {**fields(), **{f"Zeta{number}": "x" * size for number in range(names)}}
    assert len(fields()) + 237 == 256

    assert post(client, form, signed(form)).status_code == status
    assert services.refused == ([(SID, "too_large")] if status == 413 else [])


@pytest.mark.parametrize(("size", "status"), [(100, 403), (16_384, 403), (16_385, 413), (10_000_000, 413)])
def test_a_chunked_body_is_bounded_as_well(
    services: Services, client: FlaskClient, size: int, status: int
) -> None:
    body = io.BytesIO(b"x" * size)
    chunked = {"CONTENT_LENGTH": "", "wsgi.input": body, "wsgi.input_terminated": True}

    assert post(client, b"", {}, environ=chunked).status_code == status
    assert body.tell() <= 16_385


@pytest.mark.parametrize("length", ["-1", "x", "9" * 5000, "1e3", "²"])
def test_an_absurd_content_length_is_no_accident(client: FlaskClient, length: str) -> None:
    assert post(client, fields(), signed(fields()), environ={"CONTENT_LENGTH": length}).status_code in (204, 403)


def test_a_body_that_breaks_off_cannot_be_verified(services: Services, client: FlaskClient) -> None:
    class Broken(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:  # noqa: ARG002
            raise ConnectionResetError

    assert post(client, fields(), signed(fields()), environ={"wsgi.input": Broken()}).status_code == 403
    assert post(client, fields(), signed(fields()), environ={"CONTENT_LENGTH": "30"}).status_code == 403
    assert services.taken == []


@pytest.mark.parametrize("body", [b"AccountSid=%FF", b"AccountSid=\xff", b"\x00=%ED%A0%80", b"", b"&&=&"])
def test_bytes_that_are_no_text_cannot_be_verified(client: FlaskClient, body: bytes) -> None:
    assert post(client, body, signed(fields())).status_code == 403


def test_other_methods_have_no_business_here(client: FlaskClient) -> None:
    for method in ("PUT", "DELETE", "PATCH", "OPTIONS"):
        assert client.open("/twilio/status", method=method).status_code == 405


def test_unknown_accounts_leave_no_trace_but_one_warning_a_minute(
    services: Services, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    form = fields(AccountSid=UNKNOWN_SID)

    for _ in range(5):
        assert post(client, form, signed(form)).status_code == 403
    services.clock.ms += 60_000
    assert post(client, b"{}", {}, content_type="application/json").status_code == 415
    assert post(client, form, signed(form)).status_code == 403

    assert services.refused == []
    assert [record.levelno for record in caplog.records] == [logging.WARNING] * 2
    assert "'dead'" in caplog.messages[0]
    assert "since" not in caplog.messages[0]
    assert "'dead' (5 since" in caplog.messages[1]
    assert UNKNOWN_SID not in caplog.text


def test_the_log_holds_no_numbers_tokens_or_signatures(
    services: Services, client: FlaskClient, caplog: pytest.LogCaptureFixture
) -> None:
    form = fields(AccountSid="x\nERROR forged +15550001111")
    good = signed(fields())[SIGNATURE_HEADER]

    post(client, form, signed(form))
    post(client, fields(), {SIGNATURE_HEADER: good[:-2] + "A="})
    services.is_down = True
    post(client, fields(), {SIGNATURE_HEADER: good})

    assert len(caplog.records) == 3
    for private in ("15550001111", "15550002222", OLD_TOKEN, good[:-2], "forged", CALL_SID):
        assert private not in caplog.text


def test_without_the_store_twilio_is_asked_to_try_again(services: Services, client: FlaskClient) -> None:
    services.is_down = True

    answer = post(client, fields(), signed(fields()))

    assert (answer.status_code, answer.data, answer.headers["Retry-After"]) == (503, b"", "1")


def test_what_could_not_be_counted_is_counted_later(services: Services, client: FlaskClient) -> None:
    services.is_down = True
    for _ in range(MAX_AT_ONCE + 2):
        assert post(client, fields(), signed(fields())).status_code == 503
    assert post(client, fields(), {}).status_code == 403
    services.is_down = False

    assert post(client, fields(), signed(fields())).status_code == 204
    assert len(services.refused) == MAX_AT_ONCE
    assert post(client, fields(), {}).status_code == 403

    results = [result for _, result in services.refused]
    assert results.count("unavailable") == MAX_AT_ONCE + 2
    assert results.count("forbidden") == 2
    assert services.taken == TAKEN


def test_all_results_are_of_a_closed_set() -> None:
    assert {result.value for result in CallbackResult} == {
        *("accepted", "duplicate", "ignored", "other_kind", "stale", "forbidden", "wrong_url", "not_found"),
        "malformed",
        *("too_large", "unsupported_media_type", "unavailable"),
    }


FUZZED = Services()
FUZZED_CLIENT = FUZZED.client()
NAMES = st.sampled_from([*fields(), "AccountSid", "Novelty"])


@settings(max_examples=up_to(400), deadline=None)
@given(
    st.binary(max_size=300) | st.lists(st.tuples(NAMES, st.text())).map(lambda pairs: repr(pairs).encode()),
    st.fixed_dictionaries(
        {},
        optional={
            "HTTP_X_TWILIO_SIGNATURE": st.text(st.characters(max_codepoint=255)),
            "HTTP_X_TWILIO_WEBHOOKS_SIGNATURE_SETTINGS": st.text(st.characters(max_codepoint=255)),
            "QUERY_STRING": st.text(st.characters(max_codepoint=255)),
            "CONTENT_TYPE": st.sampled_from([FORM_TYPE, ""]) | st.text(st.characters(max_codepoint=255)),
            "CONTENT_LENGTH": st.sampled_from(["", "5", "x", "99999"]),
            "HTTP_HOST": st.text(st.characters(max_codepoint=255)),
            "REQUEST_METHOD": st.sampled_from(["POST", "GET", "HEAD"]),
        },
    ),
)
def test_whatever_comes_it_neither_breaks_nor_counts(body: bytes, environ: dict[str, str]) -> None:
    claim = f"AccountSid={SID}&".encode()
    for content in (body, claim + body):
        answer = FUZZED_CLIENT.post(
            "/twilio/status", data=content, content_type=FORM_TYPE, environ_overrides=environ
        )
        assert answer.status_code in (400, 403, 413, 415)

    assert FUZZED.taken == []
    assert not any(result == "malformed" for _, result in FUZZED.refused)
