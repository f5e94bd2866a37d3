"""Calls are dialled and no callback comes any more."""

from callguard.config.accounts import Account
from callguard.domain.notices import NoticeKind
from callguard.domain.snapshot import Snapshot
from callguard.watch.missing_callbacks import MissingCallbacks
from tests.outbox import Outbox

SID = "AC" + "0" * 31 + "1"
NOON = 1_767_355_200_000


def looks(outbox: Outbox, seconds: int, departed_a_second: float, *, called_back_ms: int) -> None:
    task = MissingCallbacks(Account(SID, ("token",)), outbox)
    for second in range(seconds):
        departed = 1_000 + int(second * departed_a_second)
        task(Snapshot(NOON + second * 1000, called_back_ms=called_back_ms, departed=departed))


def test_it_is_a_warning_once() -> None:
    outbox = Outbox()

    looks(outbox, 900, 0.5, called_back_ms=NOON - 1000)

    (notice,) = outbox.posted
    assert notice.kind is NoticeKind.WARNING
    assert notice.text.startswith(
        "no callback has come for 5 min, and Twilio has dialled 149 calls meanwhile. Rules"
    )


def test_a_silent_account_that_dials_nothing_is_in_order() -> None:
    outbox = Outbox()

    looks(outbox, 900, 0.01, called_back_ms=NOON - 1000)

    assert outbox.asked == 0


def test_an_account_that_never_had_any_is_not_meant() -> None:
    outbox = Outbox()

    looks(outbox, 900, 5, called_back_ms=0)

    assert outbox.asked == 0


def test_as_long_as_any_come_all_is_well() -> None:
    outbox = Outbox()
    task = MissingCallbacks(Account(SID, ("token",)), outbox)

    for second in range(1200):
        now_ms = NOON + second * 1000
        task(Snapshot(now_ms, called_back_ms=now_ms - now_ms % 200_000, departed=second))

    assert outbox.asked == 0
