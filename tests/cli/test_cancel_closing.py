"""The last words of `callguard cancel`."""

import pytest

from callguard.cli.cancel_closing import Closing
from callguard.cli.cancel_options import Wanted, resuming_command
from callguard.domain.clearing import ClearingAccount
from callguard.domain.incidents import Outcome
from callguard.domain.selection import Selection
from callguard.drain.clearance import ClearanceEnd
from tests.conftest import ACCOUNT_SID

CLEAN = ClearingAccount(12, {Outcome.CANCELLED: 9, Outcome.DIALLED: 2, Outcome.SPARED: 1}, 0)
LEFT = ClearingAccount(12, {Outcome.CANCELLED: 9}, 3)
FAILED = ClearingAccount(12, {Outcome.CANCELLED: 9, Outcome.FAILED: 3}, 0)


def closing(end: ClearanceEnd, account: ClearingAccount) -> Closing:
    return Closing(end, account, 5.0, 0.0, 1.0, 0, True)


@pytest.mark.parametrize(
    ("end", "account", "is_done", "word"),
    [
        (ClearanceEnd.CLEARED, CLEAN, True, "DONE"),
        (ClearanceEnd.CLEARED, FAILED, False, "counted as failed"),
        (ClearanceEnd.STOPPED, CLEAN, False, "STOPPED"),
        (ClearanceEnd.DENIED, LEFT, False, "TWILIO_AUTH_TOKEN"),
        (ClearanceEnd.STUCK, LEFT, False, "no usable answer"),
        (ClearanceEnd.UNLISTED, CLEAN, False, "not known"),
        (ClearanceEnd.LOST, LEFT, False, "begin afresh"),
    ],
)
def test_it_is_done_only_if_nothing_is_left(
    end: ClearanceEnd, account: ClearingAccount, is_done: bool, word: str
) -> None:
    last = closing(end, account)
    lines = list(last.lines())

    assert last.is_done is is_done
    assert word in lines[0]
    assert (lines[-1] == "To go on:") is not is_done
    assert max(map(len, lines)) <= 95


def wanted(selection: Selection) -> Wanted:
    return Wanted(selection, dry_run=False, goes_on=False, yes=True, shows_numbers=False, price=0.0, cps=5.0)


def test_the_command_that_goes_on_has_the_same_options() -> None:
    selection = Selection(("+1555*",), ("+4930123456",), 1_700_000_000_000, 1_700_000_100_250)

    assert resuming_command(ACCOUNT_SID, wanted(selection), with_numbers=True) == (
        f"callguard cancel --account {ACCOUNT_SID} --from '+1555*' --to +4930123456 "
        "--since 2023-11-14T22:13:20Z --before 2023-11-14T22:15:00.250Z --cps 5 --continue"
    )


def test_where_numbers_must_not_be_printed_it_has_none_of_the_options() -> None:
    selection = Selection(("+15550001111",), since_ms=1_700_000_000_000)

    assert resuming_command(ACCOUNT_SID, wanted(selection), with_numbers=False) == (
        f"callguard cancel --account {ACCOUNT_SID} --cps 5 --continue"
    )
