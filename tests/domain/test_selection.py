"""Which calls an operator's words mean."""

from dataclasses import replace

import pytest

from callguard.domain.calls import ListedCall
from callguard.domain.parties import PartyHasher
from callguard.domain.selection import Selection

CALL = ListedCall("CA1", 10_000, None, "+15550001111", "+4930123456")


@pytest.mark.parametrize(
    ("selection", "is_meant"),
    [
        (Selection(), True),
        (Selection(senders=("+15550001111",)), True),
        (Selection(senders=("+1555000111",)), False),
        (Selection(senders=("+1999*", "+1555*")), True),
        (Selection(senders=("+4930123456",)), False),
        (Selection(receivers=("+49*",)), True),
        (Selection(senders=("+1555*",), receivers=("+1*",)), False),
        (Selection(since_ms=10_000), True),
        (Selection(since_ms=10_001), False),
        (Selection(before_ms=10_000), False),
        (Selection(before_ms=10_001), True),
        (Selection(since_ms=9_000, before_ms=11_000), True),
    ],
)
def test_a_call_is_meant_if_all_that_is_given_holds(selection: Selection, is_meant: bool) -> None:
    assert selection.of([CALL]) == ([CALL] if is_meant else [])


def test_a_call_whose_number_is_not_told_matches_no_number() -> None:
    assert Selection(senders=("+1*",)).of([replace(CALL, from_number="")]) == []


def test_twilio_filters_by_one_whole_number_only() -> None:
    assert Selection(senders=("+15550001111",)).from_number == "+15550001111"
    assert Selection(senders=("+1555*",)).from_number is None
    assert Selection(senders=("+15550001111", "+15550002222")).from_number is None
    assert Selection(receivers=("+15550001111",)).to_number == "+15550001111"


def test_a_seal_knows_equal_numbers_and_holds_no_number() -> None:
    hasher = PartyHasher((), "a secret")
    one = Selection(("+1555*", "+15550001111"), since_ms=5)
    same = Selection(("+15550001111", "+1555*"), since_ms=6)

    assert hasher.digest(one.text_of_numbers()) == hasher.digest(same.text_of_numbers())
    assert hasher.digest(one.text_of_numbers()) != hasher.digest(
        replace(one, senders=("+1555*",)).text_of_numbers()
    )
    assert hasher.digest(one.text_of_numbers()) != PartyHasher((), "another secret").digest(one.text_of_numbers())
    assert len(hasher.digest(one.text_of_numbers())) == 16
