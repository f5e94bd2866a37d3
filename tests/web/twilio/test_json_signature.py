"""A batch of events is Twilio's if one account's secret has signed its URL, and the URL its body."""

import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from twilio.request_validator import SIGNATURE_HEADER, SIGNATURE_SETTINGS_HEADER, RequestValidator
from werkzeug.datastructures import Headers

from callguard.config.accounts import Account
from callguard.telephony.signature import CallbackAuthenticator
from tests.web.twilio.callbacks import (
    ACCOUNTS,
    KEY,
    OLD_TOKEN,
    OTHER_SID,
    OTHER_TOKEN,
    PUBLIC_URL,
    SHA1_KEY,
    SID,
    TOKEN,
)
from tests.web.twilio.event_batches import EVENTS_URL, json_signed, query_of

AUTHENTICATOR = CallbackAuthenticator(PUBLIC_URL, ACCOUNTS)
BODY = b'[{"specversion":"1.0"}]'
QUERY = query_of(BODY)


def signer(
    headers: dict[str, str], *, query: str = QUERY, body: bytes = BODY, public_url: str = PUBLIC_URL
) -> str | None:
    return CallbackAuthenticator(public_url, ACCOUNTS).verify_json(query, body, Headers(headers))


@settings(deadline=None)
@given(st.text(), st.sampled_from(["", ":443", ":8443"]), st.sampled_from(["", "x=1", "a=%C3%A9&b="]))
def test_it_agrees_with_the_librarys_validate(text: str, port: str, configured: str) -> None:
    body = text.encode("utf-8", "replace")
    query = query_of(body, configured)
    url = f"https://guard.example.com{port}/prefix/twilio/events?{query}"
    signature = RequestValidator(TOKEN).compute_signature(
        f"https://guard.example.com/prefix/twilio/events?{query}", {}
    )

    public_url = f"https://guard.example.com{port}/prefix" + (f"?{configured}" if configured else "")
    ours = CallbackAuthenticator(public_url, ACCOUNTS)
    headers = Headers({SIGNATURE_HEADER: signature})

    assert RequestValidator(TOKEN).validate(url, body.decode(), signature)
    assert ours.verify_json(query, body, headers) == SID

    assert not RequestValidator(TOKEN).validate(url, body.decode() + " ", signature)
    assert ours.verify_json(query, body + b" ", headers) is None


@pytest.mark.parametrize(
    ("token", "sid"), [(OLD_TOKEN, SID), (TOKEN, SID), (OTHER_TOKEN, OTHER_SID), ("3" * 32, None), ("", None)]
)
def test_it_names_the_account_whose_token_has_signed(token: str, sid: str | None) -> None:
    assert signer(json_signed(QUERY, token=token)) == sid
    assert AUTHENTICATOR.json_signer(QUERY, Headers(json_signed(QUERY, token=token))) == sid


def test_without_an_account_nobody_has_signed() -> None:
    nobody = CallbackAuthenticator(PUBLIC_URL, {})

    assert nobody.verify_json(QUERY, BODY, Headers(json_signed(QUERY))) is None


@pytest.mark.parametrize("body", [b"", BODY + b"\n", BODY[:-1], b"[]", b"\xff", BODY.replace(b"1", b"2")])
def test_another_body_under_a_good_signature_is_refused(body: bytes) -> None:
    headers = json_signed(QUERY)

    assert AUTHENTICATOR.json_signer(QUERY, Headers(headers)) == SID
    assert signer(headers, body=body) is None


@pytest.mark.parametrize(
    "query",
    [
        "",
        "bodySHA256=",
        QUERY + "&",
        "&" + QUERY,
        QUERY + "&x=1",
        "x=1&" + QUERY,
        f"{QUERY}&{QUERY}",
        QUERY[:-1],
        QUERY + "0",
        QUERY + "\n",
        QUERY.replace("bodySHA256", "bodysha256"),
        "bodySHA256=" + hashlib.sha256(BODY).hexdigest().upper(),
        QUERY.replace("=", "%3D"),
        "bodySHA256=" + "é" * 64,
        "bodySHA256=" + "\ud800" * 64,
    ],
)
def test_a_query_that_is_not_the_configured_one_and_a_hash_is_refused(query: str) -> None:
    headers = json_signed(query.replace("\ud800", "x"))

    assert signer(headers, query=query) is None
    assert AUTHENTICATOR.json_signer(query, Headers(headers)) is None


def test_the_configured_query_comes_first_and_whole() -> None:
    public_url = f"{PUBLIC_URL}?x=1&y="
    for query, sid in (("x=1&y=&" + QUERY, SID), ("x=1&" + QUERY, None), (QUERY + "&x=1&y=", None), (QUERY, None)):
        assert signer(json_signed(query), query=query, public_url=public_url) == sid


@pytest.mark.parametrize(
    ("public_url", "signed_url"),
    [
        ("https://h", "https://h/twilio/events"),
        ("https://h/a/b/", "https://h/a/b/twilio/events"),
        ("https://h:8443", "https://h/twilio/events"),
        ("https://h:8443", "https://h:8443/twilio/events"),
        ("http://h:8000", "http://h:8000/twilio/events"),
        ("https://u:p@h", "https://h/twilio/events"),
    ],
)
def test_the_signed_url_comes_from_the_configuration(public_url: str, signed_url: str) -> None:
    assert signer(json_signed(QUERY, url=signed_url), public_url=public_url) == SID


@pytest.mark.parametrize(
    "url", [PUBLIC_URL + "/twilio/status", "https://evil.example/twilio/events", EVENTS_URL + "/", PUBLIC_URL]
)
def test_a_signature_for_another_address_is_refused(url: str) -> None:
    assert signer(json_signed(QUERY, url=url)) is None


def test_another_path_can_be_asked_for() -> None:
    headers = Headers(json_signed(QUERY, url=PUBLIC_URL + "/elsewhere"))

    assert AUTHENTICATOR.verify_json(QUERY, BODY, headers, "/elsewhere") == SID
    assert AUTHENTICATOR.verify_json(QUERY, BODY, headers) is None


@pytest.mark.parametrize("key", [KEY, SHA1_KEY])
def test_a_shared_key_signs_as_it_is_configured_to(key) -> None:  # type: ignore[no-untyped-def]
    headers = json_signed(QUERY, token=key.secret, algorithm=key.algorithm.value)
    settings = f"key={key.id},algorithm={key.algorithm.value}"

    assert signer({**headers, SIGNATURE_SETTINGS_HEADER: settings}) == SID
    assert signer(headers) is None


@pytest.mark.parametrize(
    ("settings", "algorithm", "secret"),
    [
        (f"key={KEY.id},algorithm=HMAC_SHA1", "HMAC_SHA1", KEY.secret),  # a downgrade
        (f"key={KEY.id},algorithm=HMAC_SHA256", "HMAC_SHA1", KEY.secret),
        ("key=unknown,algorithm=HMAC_SHA256", "HMAC_SHA256", KEY.secret),
        (f"key={KEY.id},algorithm=HMAC_SHA256", "HMAC_SHA1", TOKEN),
        ("", "HMAC_SHA1", TOKEN),
    ],
)
def test_the_settings_header_chooses_nothing(settings: str, algorithm: str, secret: str) -> None:
    headers = json_signed(QUERY, token=secret, algorithm=algorithm)

    assert signer({**headers, SIGNATURE_SETTINGS_HEADER: settings}) is None


def test_a_key_of_one_account_does_not_sign_for_another() -> None:
    accounts = {SID: Account(SID, (TOKEN,)), OTHER_SID: Account(OTHER_SID, (OTHER_TOKEN,), (KEY,))}
    headers = json_signed(QUERY, token=KEY.secret, algorithm="HMAC_SHA256")
    headers[SIGNATURE_SETTINGS_HEADER] = f"key={KEY.id},algorithm=HMAC_SHA256"

    assert CallbackAuthenticator(PUBLIC_URL, accounts).verify_json(QUERY, BODY, Headers(headers)) == OTHER_SID


@settings(deadline=None)
@given(
    st.dictionaries(st.sampled_from([SIGNATURE_HEADER, SIGNATURE_SETTINGS_HEADER]), st.text()),
    st.text(),
    st.binary(),
)
def test_nothing_makes_it_raise(headers: dict[str, str], text: str, body: bytes) -> None:
    for query in (text, "\ud800" + text, QUERY + text, QUERY):
        assert AUTHENTICATOR.verify_json(query, body, headers) is None
        assert AUTHENTICATOR.json_signer(query, headers) is None
