"""Signatures and connection overrides, against Twilio's examples and the twilio library."""

import pytest
from twilio.request_validator import RequestValidator

from callguard.simulator.connection_overrides import ConnectionOverrides, Failure, read_overrides
from callguard.simulator.signature import signature, signed_url

CONNECT, READ, CLIENT, SERVER = Failure
DEFAULT = ConnectionOverrides()


def test_the_documents_own_example() -> None:
    fields = {
        "CallSid": "CA1234567890ABCDE",
        "Caller": "+14158675310",
        "Digits": "1234",
        "From": "+14158675310",
        "To": "+18005551212",
    }

    signed = signature("12345", "https://example.com/myapp.php?foo=1&bar=2", fields)

    assert signed == "L/OH5YylLD5NRKLltdqwSvS0BnU="


@pytest.mark.parametrize(
    ("url", "signed"),
    [
        ("http://a.example:81/x?y=1#rc=2", "http://a.example:81/x?y=1"),
        ("https://a.example:8443/x", "https://a.example/x"),
        ("https://user:pass@a.example:8443/x", "https://a.example/x"),
        ("http://user:pass@a.example:81/x", "http://a.example:81/x"),
        ("https://[::1]:8443/x", "https://[::1]/x"),
        ("http://a.example", "http://a.example"),
    ],
)
def test_what_enters_the_signature(url: str, signed: str) -> None:
    assert signed_url(url) == signed


@pytest.mark.parametrize("algorithm", ["sha1", "sha256"])
def test_the_library_agrees(algorithm: str) -> None:
    url, fields = "https://a.example:8443/x?y=%C3%A9", {"B": "2", "a": "ä", "Empty": ""}

    signed = signature("secret", url, fields, algorithm)

    assert RequestValidator("secret").validate(url, fields, signed, f"HMAC_{algorithm.upper()}")


@pytest.mark.parametrize(
    ("fragment", "overrides"),
    [
        ("", DEFAULT),
        ("#rc=5&rp=all", ConnectionOverrides(5, frozenset(Failure))),
        ("#rp=4xx,5xx", ConnectionOverrides(retry_after=frozenset({CLIENT, SERVER}))),
        ("#rp=rt", ConnectionOverrides(retry_after=frozenset({READ}))),
        ("#rp=nonsense", DEFAULT),
        ("#rc=6", DEFAULT),
        ("#rc=-1", DEFAULT),
        ("#ct=200&rt=300&tt=1000", ConnectionOverrides(1, frozenset({CONNECT}), 0.2, 0.3, 1.0)),
        ("#ct=99&rt=15001", DEFAULT),
        ("#section", DEFAULT),
    ],
)
def test_overrides_are_read_from_the_fragment(fragment: str, overrides: ConnectionOverrides) -> None:
    assert read_overrides(f"http://a.example/x?rc=9{fragment}") == overrides
