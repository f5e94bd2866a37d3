"""A signature counts only if one of our secrets has made it, over the URL that we are configured with."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from twilio.request_validator import (
    SIGNATURE_HEADER,
    SIGNATURE_SETTINGS_HEADER,
    RequestValidator,
)
from werkzeug.datastructures import Headers

from callguard.config.accounts import Account
from callguard.telephony.signature import CallbackAuthenticator
from callguard.web.twilio.form import Form
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
    UNKNOWN_SID,
    URL,
    fields,
    signed,
)

AUTHENTICATOR = CallbackAuthenticator(PUBLIC_URL, ACCOUNTS)


def text_of(form: dict[str, str]) -> str:
    return Form(list(form.items())).signed_text()


def is_verified(
    headers: dict[str, str], *, sid: str | None = SID, public_url: str = PUBLIC_URL, query: str = ""
) -> bool:
    return CallbackAuthenticator(public_url, ACCOUNTS).verify_form(sid, query, text_of(fields()), Headers(headers))


def is_query_verified(query: str, url: str, public_url: str = PUBLIC_URL) -> bool:
    headers = Headers(signed({}, url=url))
    return CallbackAuthenticator(public_url, ACCOUNTS).verify_query(SID, query, headers)


def test_twilios_published_vector() -> None:
    """https://www.twilio.com/docs/usage/security has the parts; the path is the only thing that differs."""
    form = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675310",
        "Digits": "1234",
        "From": "+14158675310",
        "To": "+18005551212",
    }
    published = RequestValidator("12345").compute_signature(
        "https://example.com/myapp.php?foo=1&bar=2" + text_of(form), {}
    )

    assert published == "L/OH5YylLD5NRKLltdqwSvS0BnU="

    ours = CallbackAuthenticator("https://example.com?foo=1&bar=2", {SID: Account(SID, ("12345",))})
    headers = Headers(signed(form, url="https://example.com/twilio/status?foo=1&bar=2", token="12345"))
    assert ours.verify_form(SID, "foo=1&bar=2", text_of(form), headers)


@given(
    st.dictionaries(st.text(max_size=8), st.text(max_size=8), max_size=8), st.sampled_from(["", ":443", ":8443"])
)
def test_it_agrees_with_the_librarys_validate(form: dict[str, str], port: str) -> None:
    public_url = f"https://guard.example.com{port}/prefix"
    signature = RequestValidator(TOKEN).compute_signature("https://guard.example.com/prefix/twilio/status", form)
    headers = Headers({SIGNATURE_HEADER: signature})

    ours = CallbackAuthenticator(public_url, ACCOUNTS).verify_form(SID, "", text_of(form), headers)

    assert ours is True
    assert ours == RequestValidator(TOKEN).validate(public_url + "/twilio/status", form, signature)


@pytest.mark.parametrize("token", [OLD_TOKEN, TOKEN])
def test_each_token_is_good_during_a_rotation(token: str) -> None:
    assert is_verified(signed(fields(), token=token))


@pytest.mark.parametrize(
    ("sid", "token"),
    [(SID, OTHER_TOKEN), (OTHER_SID, TOKEN), (UNKNOWN_SID, TOKEN), (None, TOKEN), ("", TOKEN), (SID, "")],
)
def test_an_account_is_believed_by_its_own_tokens_only(sid: str | None, token: str) -> None:
    assert not is_verified(signed(fields(), token=token), sid=sid)


@pytest.mark.parametrize(
    ("public_url", "signed_url", "query"),
    [
        ("https://h", "https://h/twilio/status", ""),
        ("https://h/", "https://h/twilio/status", ""),
        ("https://h/a/b/", "https://h/a/b/twilio/status", ""),
        ("https://h:8443", "https://h/twilio/status", ""),
        ("https://h:8443", "https://h:8443/twilio/status", ""),
        ("https://h", "https://h:443/twilio/status", ""),
        ("http://h:8000", "http://h:8000/twilio/status", ""),
        ("http://h:8000", "http://h/twilio/status", ""),
        ("http://h", "http://h:80/twilio/status", ""),
        ("https://[::1]:8443", "https://[::1]/twilio/status", ""),
        ("https://u:p@h:8443/a", "https://h/a/twilio/status", ""),
        ("https://h/a?x=%27%C3%A9&y=", "https://h/a/twilio/status?x=%27%C3%A9&y=", "x=%27%C3%A9&y="),
    ],
)
def test_the_signed_url_comes_from_the_configuration(public_url: str, signed_url: str, query: str) -> None:
    assert is_verified(signed(fields(), url=signed_url), public_url=public_url, query=query)


@pytest.mark.parametrize("query", ["", "x=2", "x=1&", "x=1&y=2", "y=2&x=1", "X=1", "x=%31"])
def test_a_posts_query_must_be_the_configured_one(query: str) -> None:
    url = f"{URL}?{query}" if query else URL

    assert not is_verified(signed(fields(), url=url), public_url=f"{PUBLIC_URL}?x=1", query=query)
    assert not query or not is_verified(signed(fields(), url=url), query=query)


@pytest.mark.parametrize("query", ["a=b", "u=sip%3Aa%40b", "t=%27", "n=%C3%A9", "a=&b", "a='@:/?"])
def test_a_gets_query_is_signed_as_it_comes(query: str) -> None:
    assert is_query_verified(query, f"{URL}?{query}")
    assert is_query_verified(f"x=1&{query}", f"{URL}?x=1&{query}", f"{PUBLIC_URL}?x=1")


@pytest.mark.parametrize(
    ("query", "configured"),
    [
        ("a=b", "x=1"),
        ("x=1a=b", "x=1"),
        ("x=12&a=b", "x=1"),
        ("a=é", ""),
        ("a=b#c", ""),
        ("a=\tb", ""),
        ("a=b c", ""),
    ],
)
def test_a_get_whose_query_could_be_read_otherwise_is_refused(query: str, configured: str) -> None:
    assert not is_query_verified(query, f"{URL}?{query}", f"{PUBLIC_URL}?{configured}")


def settings(text: str) -> dict[str, str]:
    return {SIGNATURE_SETTINGS_HEADER: text}


@pytest.mark.parametrize(
    "template", ["key={},algorithm={}", "algorithm={1}, key={0}", " key = {} , algorithm = {} "]
)
@pytest.mark.parametrize("key", [KEY, SHA1_KEY])
def test_a_shared_key_signs_as_it_is_configured_to(key, template: str) -> None:  # type: ignore[no-untyped-def]
    headers = signed(fields(), token=key.secret, algorithm=key.algorithm.value)

    assert is_verified({**headers, **settings(template.format(key.id, key.algorithm.value))})


@pytest.mark.parametrize(
    ("named", "algorithm", "signing", "sid"),
    [
        (KEY.id, "HMAC_SHA1", "HMAC_SHA1", SID),  # a downgrade
        (KEY.id, "HMAC_SHA1", "HMAC_SHA256", SID),
        (KEY.id, "HMAC_SHA256", "HMAC_SHA1", SID),
        (KEY.id, "hmac_sha256", "HMAC_SHA256", SID),
        (KEY.id, "HMAC_MD5", "HMAC_SHA256", SID),
        (SHA1_KEY.id, "HMAC_SHA256", "HMAC_SHA256", SID),
        ("webhooks_sharedkey_3", "HMAC_SHA256", "HMAC_SHA256", SID),
        ("", "", "HMAC_SHA256", SID),
        (KEY.id, "HMAC_SHA256", "HMAC_SHA256", OTHER_SID),
    ],
)
def test_the_settings_header_chooses_nothing(named: str, algorithm: str, signing: str, sid: str) -> None:
    secret = SHA1_KEY.secret if named == SHA1_KEY.id else KEY.secret
    headers = signed(fields(), token=secret, algorithm=signing)

    assert not is_verified({**headers, **settings(f"key={named},algorithm={algorithm}")}, sid=sid)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "key",
        ",",
        "=,=",
        f"key={KEY.id}",
        "algorithm=HMAC_SHA1",
        "key=,algorithm=HMAC_SHA1",
        f"key={KEY.id},algorithm=HMAC_SHA256,key={KEY.id},algorithm=HMAC_SHA256",
        f"key={KEY.id},algorithm=HMAC_SHA256,x=y",
        f"key={KEY.id},algorithm=HMAC_SHA256" + " " * 300,
        "é" * 100_000,
    ],
)
def test_with_an_absurd_settings_header_no_secret_is_good(text: str) -> None:
    for token, algorithm in ((TOKEN, None), (KEY.secret, "HMAC_SHA256"), (KEY.secret, "HMAC_SHA1")):
        assert not is_verified({**signed(fields(), token=token, algorithm=algorithm), **settings(text)})


def test_an_auth_token_never_signs_with_another_algorithm() -> None:
    assert not is_verified(signed(fields(), token=TOKEN, algorithm="HMAC_SHA256"))


@pytest.mark.parametrize(
    "signature",
    ["", " ", "=", "A" * 27 + "=", "A" * 28, "A" * 43 + "=", "é" * 28, "A" * 100_000, "\x00", "L/OH=\n"],
)
def test_an_absurd_signature_is_refused(signature: str) -> None:
    class OneHeader:
        def get(self, name: str, /) -> str | None:
            return signature if name == SIGNATURE_HEADER else None

    assert not AUTHENTICATOR.verify_form(SID, "", text_of(fields()), OneHeader())


@pytest.mark.parametrize("signature", [signed(fields())[SIGNATURE_HEADER]])
def test_a_good_signature_with_something_around_it_is_refused(signature: str) -> None:
    for absurd in (
        f"{signature},{signature}",
        f" {signature}",
        f"{signature} ",
        signature.lower(),
        signature[:-1],
    ):
        assert not is_verified({SIGNATURE_HEADER: absurd})
    assert not is_verified({})


@given(
    st.dictionaries(st.sampled_from([SIGNATURE_HEADER, SIGNATURE_SETTINGS_HEADER]), st.text()),
    st.text(),
    st.text(),
)
def test_nothing_makes_it_raise(headers: dict[str, str], text: str, query: str) -> None:
    for anything in (text, "\ud800" + text):
        assert AUTHENTICATOR.verify_form(SID, "", anything, headers) is False
        assert AUTHENTICATOR.verify_form(anything, query, anything, headers) is False
        assert AUTHENTICATOR.verify_query(SID, anything, headers) is False


def test_half_a_surrogate_pair_under_a_wellformed_signature_is_refused() -> None:
    assert AUTHENTICATOR.verify_form(SID, "", "\ud800", signed(fields())) is False
