"""One grammar of addresses for what comes in and for what an operator writes."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callguard.domain.addresses import (
    ADDRESS,
    EMERGENCY,
    NumberList,
    canonical,
    checked_entry,
    is_emergency,
    is_telephone,
    masked,
)
from callguard.domain.parties import PartyHasher
from callguard.web.twilio.callback_fields import PATTERNS

ADDRESSES = [
    *("+15550001111", "15550001111", "911", "+911", "933", "112", "12345", "42", "+266696687", "266696687"),
    *(
        "jack",
        "sales.desk_2",
        "a+b",
        "415jack",
        "555-123-4567",
        "client:jane",
        "client:joey?a=b",
        "client:J\u00fcrgen M.",
    ),
    *("sip:alice@example.com", "sips:alice@example.com:5061;transport=tls", "sip:a@b?X-Account=7&X-Id=8"),
    *("whatsapp:+15550001111", "Anonymous", "RESTRICTED", "anonymous", "sip:" + "x" * 1900),
]
NO_ADDRESSES = [
    *("", "+", "+1", "*", "+1555000111x", "+1 555 000 1111", "(555) 123", "Jane Doe", "client:", " jack", "-jack"),
    *("jack\n", "client:\x00", "client:a\x00b", "sip:a\x7fb", "client:a\x85b", "client:a\u2028b", "client:\ud800"),
    *("sip:" + "x" * 2100, "911*", "+15550001111\x00", "x" * 65),
]


@pytest.mark.parametrize("address", ADDRESSES)
def test_what_twilio_may_send_is_an_address_and_can_be_named(address: str) -> None:
    assert ADDRESS.fullmatch(address)
    assert re.fullmatch(PATTERNS["To"], address)
    assert address in NumberList([address])
    if address != "555-123-4567":  # written so by a person, it is meant as a telephone's
        assert checked_entry(address) == address
    assert address in NumberList([checked_entry(f"{address[:6]}*")])


@pytest.mark.parametrize("text", NO_ADDRESSES)
def test_what_is_none_is_refused_at_both_ends(text: str) -> None:
    assert not ADDRESS.fullmatch(text)
    if text != "911*":
        with pytest.raises(ValueError, match=r"should|holds"):
            checked_entry(text)


@given(st.text())
def test_whatever_is_an_address_holds_no_control_character(text: str) -> None:
    if ADDRESS.fullmatch(text):
        assert not re.search(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]", text)
        text.encode()


@pytest.mark.parametrize(
    "number",
    ["911", "+911", "+1911", "1911", "933", "112", "+112", "999", "+44999", "000", "+61000", "110", "119",
     "+81119", "111", "+64111", "+353112"],
)  # fmt: skip
def test_emergency_numbers_are_known_with_and_without_a_country(number: str) -> None:
    assert is_emergency(number)
    assert PartyHasher([], "secret").of("+15550001111", number).protected


@pytest.mark.parametrize(
    "number",
    ["", "91", "9111", "+9111", "19115", "+15550000911", "911x", " 911", "++911", "client:911",
     "sip:911@example.com", "+4499", "+449990", "+3311", "411", "611", "12345", "\u0669\u0661\u0661"],
)  # fmt: skip
def test_nothing_else_is_taken_for_one(number: str) -> None:
    assert not is_emergency(number)


def test_whoever_calls_from_such_a_number_is_not_spared_for_it() -> None:
    assert not PartyHasher([], "secret").of("112", "+15550002222").protected


def test_a_number_means_the_same_with_its_plus_and_without() -> None:
    hasher = PartyHasher(["15550001111"], "secret")

    assert canonical("15550001111") == canonical("+15550001111")
    assert hasher.of("+15550001111", "+15550002222").protected
    assert hasher.sender("15550001111") == hasher.sender("+15550001111")
    assert "+15550001111" in NumberList(["1555*"])
    assert "15550001111" in NumberList(["+1555*"])
    assert canonical("911") == "911"
    assert "+1911" not in NumberList(["911"])


def test_who_is_called_by_telephone_counts_for_repeats_and_ones_own_endpoints_do_not() -> None:
    assert all(map(is_telephone, ("+15550001111", "15550001111", "12345", "whatsapp:+15550001111")))
    assert not any(map(is_telephone, ("jack", "client:jane", "sip:alice@example.com", "anonymous")))


@pytest.mark.parametrize("address", [a for a in ADDRESSES if len(a) > 5])
def test_an_address_is_never_shown_whole(address: str) -> None:
    assert address not in masked(address)
    assert not re.search("[0-9]{7}", masked(address))


def test_the_list_of_emergency_numbers_has_short_ones_only() -> None:
    assert all(re.fullmatch("[0-9]{3}", number) for number in EMERGENCY)
