"""Which announced calls are a campaign's."""

import pytest

from callguard.domain.campaign_calls import CLOCKS_MS, WaitingCall, calls_of, mark_of
from callguard.domain.campaigns import Campaign

NOON = 1_700_000_000_000
SHOP, SALES = "11111aaa", "22222bbb"


def campaign(name: str, sender: str = "", came: int = 5, starts_ms: int = NOON, ended_ms: int = 0) -> Campaign:
    return Campaign(name, 100, came, sender, "", starts_ms, starts_ms + 3_600_000, "a test", ended_ms)


def told(name: str, created_ms: int, sender: str, *campaigns: Campaign) -> str:
    """Return what one waiting call is to a campaign."""
    found = calls_of(name, [WaitingCall("CA1", created_ms, mark_of(sender))], campaigns)
    if found.own:
        return "own"
    return f"shared with {' '.join(one.id for one in found.shared_with)}".strip() if found.shared else "another's"


LATER = NOON + 60_000


@pytest.mark.parametrize(
    ("campaigns", "what"),
    [
        ([campaign("c", SHOP)], "own"),
        ([campaign("c", SHOP), campaign("d", SALES)], "own"),
        ([campaign("c")], "own"),
        ([campaign("c", SALES), campaign("d", SHOP)], "another's"),
        # Its number's own campaign takes it, while that waits for calls.
        ([campaign("c", SHOP), campaign("d")], "own"),
        ([campaign("c"), campaign("d", SHOP)], "another's"),
        # All have come: then the next in order takes it.
        ([campaign("c", SHOP, came=100), campaign("d")], "shared with d"),
        ([campaign("c"), campaign("d", SHOP, came=100)], "shared with d"),
        # Announced after the call was created, perhaps before it was heard of.
        ([campaign("c"), campaign("d", SHOP, starts_ms=LATER + 1)], "shared with d"),
        ([campaign("c"), campaign("d", SHOP, came=0, starts_ms=LATER + 1)], "own"),
        ([campaign("c"), campaign("d", starts_ms=NOON + 1000)], "own"),
        ([campaign("c", starts_ms=NOON + 1000), campaign("d", came=100)], "shared with d"),
        # Over.
        ([campaign("c"), campaign("d", SHOP, ended_ms=LATER + 1)], "shared with d"),
        ([campaign("c"), campaign("d", SHOP, starts_ms=NOON - 3_600_000)], "own"),
        ([campaign("c", SHOP, ended_ms=LATER + 1), campaign("d")], "shared with d"),
        ([campaign("c", SHOP, starts_ms=NOON - 3_600_000), campaign("d")], "another's"),
        # Redis has lost whose it is.
        ([campaign("c", SHOP, came=0)], "shared with"),
        ([campaign("c", SALES)], "shared with"),
    ],
)
def test_whose_a_call_is(campaigns: list[Campaign], what: str) -> None:
    assert told("c", LATER, SHOP, *campaigns) == what


def test_a_campaign_that_was_long_over_has_taken_nothing() -> None:
    over = campaign("d", SHOP, ended_ms=NOON + 1)

    assert told("c", NOON + CLOCKS_MS, SHOP, campaign("c"), over) == "shared with d"
    assert told("c", NOON + 1 + CLOCKS_MS, SHOP, campaign("c"), over) == "own"


def test_more_calls_than_have_come_are_not_its_own_for_sure() -> None:
    """After a loss its count begins anew, and the calls of before may be anybody's."""
    waiting = [WaitingCall(f"CA{n}", LATER, mark_of(SHOP)) for n in range(6)]

    found = calls_of("c", waiting, [campaign("c", SHOP), campaign("d", came=0)])

    assert (found.own, len(found.shared), found.shared_with) == ((), 6, ())


def test_whose_number_is_not_known_is_of_any_number() -> None:
    assert mark_of("") == 0
    assert told("c", LATER, "", campaign("c"), campaign("d", SHOP)) == "own"
