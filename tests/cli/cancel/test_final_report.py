"""The last words of `callguard cancel`."""

from dataclasses import replace

import pytest

from callguard.cancel.manual_cancel import ManualCancelEnd
from callguard.cli.cancel.final_report import FinalReport, Quotes, Wait, guards_view, wait_of
from callguard.cli.cancel.options import CancelOptions, resuming_command
from callguard.cli.connect import own_settings
from callguard.domain.calls import ListedCall
from callguard.domain.policy import Policy
from callguard.domain.selection import Selection
from callguard.domain.snapshot import Snapshot
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome, Tally
from tests.calls import call_sid, queued
from tests.cli.running import environ
from tests.conftest import ACCOUNT_SID, Store
from tests.frozen_clock import FrozenClock

__all__ = ["environ"]

CLEAN = Tally({Outcome.CANCELLED: 9, Outcome.DIALLED: 2, Outcome.PROTECTED: 1}, 0)
LEFT = Tally({Outcome.CANCELLED: 9}, 3)
FAILED = Tally({Outcome.CANCELLED: 9, Outcome.FAILED: 3}, 0)


def closing(end: ManualCancelEnd, account: Tally) -> FinalReport:
    return FinalReport(end, account, 5.0, Wait(0.0, is_whole=True), 0, True)


@pytest.mark.parametrize(
    ("end", "account", "is_done", "word"),
    [
        (ManualCancelEnd.CLEARED, CLEAN, True, "DONE"),
        (ManualCancelEnd.CLEARED, FAILED, False, "counted as failed"),
        (ManualCancelEnd.STOPPED, CLEAN, False, "STOPPED"),
        (ManualCancelEnd.DENIED, LEFT, False, "TWILIO_AUTH_TOKEN"),
        (ManualCancelEnd.STUCK, LEFT, False, "no usable answer"),
        (ManualCancelEnd.UNLISTED, CLEAN, False, "not known"),
        (ManualCancelEnd.LOST, LEFT, False, "begin afresh"),
    ],
)
def test_it_is_done_only_if_nothing_is_left(
    end: ManualCancelEnd, account: Tally, is_done: bool, word: str
) -> None:
    last = closing(end, account)
    lines = list(last.lines())

    assert last.is_done is is_done
    assert word in lines[0]
    assert (lines[-1] == "To go on:") is not is_done
    assert max(map(len, lines)) <= 95


def wanted(selection: Selection) -> CancelOptions:
    return CancelOptions(
        selection, dry_run=False, goes_on=False, yes=True, shows_numbers=False, price=0.0, cps=5.0
    )


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


def slots(wait: Wait, account: Tally = CLEAN) -> str:
    said = replace(closing(ManualCancelEnd.CLEARED, account), wait=wait)
    return " ".join(line for line in said.lines() if "slots" in line)


def test_the_wait_is_told_as_far_as_it_is_known() -> None:
    assert slots(Wait(114.0, is_whole=True)).endswith("a call created now may wait 114 s.")
    assert "may wait 36 s or longer. How many slots" in slots(Wait(36.0, is_whole=False))
    assert "may wait. How many slots" in slots(Wait(0.0, is_whole=False))
    assert slots(Wait(0.0, is_whole=True)) == ""
    assert slots(Wait(0.0, is_whole=False), Tally({Outcome.DIALLED: 2}, 0)) == ""


NOW_MS = 1_700_000_000_000


def snapshot(drain_seconds: float, polled_seconds_ago: float) -> Snapshot:
    return Snapshot(
        now_ms=NOW_MS,
        counted_ms=NOW_MS + drain_seconds * 1000,
        polled_ms=round(NOW_MS - polled_seconds_ago * 1000),
    )


@pytest.mark.parametrize(
    ("guard", "quoted_seconds", "are_of_all", "wait"),
    [
        (snapshot(114, 2), 0, True, Wait(114, is_whole=True)),
        (snapshot(20, 2), 0, True, Wait(36, is_whole=True)),
        (snapshot(20, 2), 540, True, Wait(36, is_whole=True)),  # quoted before the CPS was raised
        (snapshot(114, 300), 0, True, Wait(114, is_whole=False)),
        (snapshot(114, 300), 200, True, Wait(200, is_whole=True)),
        (None, 114, True, Wait(114, is_whole=True)),
        (None, 114, False, Wait(114, is_whole=False)),
        (None, -5, True, Wait(36, is_whole=True)),
        (None, 0, True, Wait(36, is_whole=False)),
    ],
)
def test_the_longest_wait_that_is_told_counts(
    guard: Snapshot | None, quoted_seconds: int, are_of_all: bool, wait: Wait
) -> None:
    quotes = Quotes(are_of_all, NOW_MS + quoted_seconds * 1000 if quoted_seconds else 0)

    assert wait_of(36.0, guard, quotes, NOW_MS) == wait


def test_quotes_are_those_of_the_newest_call() -> None:
    quotes = Quotes(are_of_all=True)
    listed = [ListedCall(call_sid(n), NOW_MS - 1000 * (5 - n), 100_000 + 1000 * n, "", "") for n in range(5)]

    quotes.note(listed, NOW_MS)
    quotes.note(listed[:2], NOW_MS)
    quotes.note([], NOW_MS)

    assert quotes.latest_ms == NOW_MS - 1000 + 104_000


@pytest.mark.usefixtures("environ")
class TestBesideAGuard:
    def test_its_estimate_is_read(self, store: Store, clock: FrozenClock) -> None:
        store.tracker.observe(
            ACCOUNT_SID, [queued(n, clock.ms) for n in range(120)], Policy(), clock.ms, Source.POLL
        )
        settings = own_settings()

        seen = guards_view(settings, settings.accounts[ACCOUNT_SID], clock.ms)

        assert seen is not None
        assert round(seen.drain_seconds) == 120

    def test_one_that_cannot_be_asked_tells_nothing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for url in ("unix:///nowhere/valkey.sock", ""):
            monkeypatch.setenv("CALLGUARD_REDIS_URL", url)
            settings = own_settings()

            assert guards_view(settings, settings.accounts[ACCOUNT_SID], NOW_MS) is None
