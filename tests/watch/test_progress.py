"""While a drain lasts people hear how far it is, and of its end."""

from dataclasses import replace

import pytest

from callguard.cancel.endings import done_text
from callguard.config.accounts import Account
from callguard.domain.incidents import Incident
from callguard.domain.notices import NoticeKind
from callguard.domain.policy import Mode, Policy
from callguard.domain.snapshot import Finding, Rule, Snapshot, State
from callguard.domain.tally import Outcome
from callguard.watch.progress import Progress
from tests.outbox import Outbox

SID = "AC" + "0" * 31 + "1"
NOON = 1_767_355_200_000
OUTCOMES = {Outcome.CANCELLED: 4_200, Outcome.DIALLED: 12, Outcome.GONE: 3, Outcome.FAILED: 1}
INCIDENT = Incident(
    f"{SID}-1", SID, 1, Finding(Rule.SPIKE, 70, 65, "spike_burst", NOON - 3000), Mode.ENFORCE, NOON,
    outcomes=OUTCOMES, remaining=784, protected=20,
)  # fmt: skip
DRAINING = Snapshot(NOON, state=State.DRAINING, generation=1, cancellable=784, protected=20, tripped_ms=NOON)


class Book:
    """The open incident."""

    incident: Incident | None = INCIDENT

    def current(self, account_sid: str) -> Incident | None:
        assert account_sid == SID
        return self.incident


def progress_of(outbox: Outbox, book: Book | None = None, rate: float = 0.0) -> Progress:
    account = Account(SID, ("token",), policy=Policy(cps=5))
    return Progress(account, book or Book(), outbox, lambda _: rate)  # type: ignore[arg-type]


def at(snapshot: Snapshot, seconds: float) -> Snapshot:
    return replace(snapshot, now_ms=NOON + round(seconds * 1000))


def test_a_drain_that_lasts_is_told_of_every_three_minutes() -> None:
    outbox = Outbox()
    progress = progress_of(outbox)

    for quarter in range(4 * 600):
        progress(at(DRAINING, quarter / 4))

    assert [(notice.at_ms - NOON) // 1000 for notice in outbox.posted] == [180, 360, 540]
    assert {notice.kind for notice in outbox.posted} == {NoticeKind.PROGRESS}
    assert outbox.asked < 50


def test_it_says_what_was_done_and_what_will_come() -> None:
    outbox = Outbox()

    progress_of(outbox, rate=60.0)(at(DRAINING, 360))

    assert outbox.texts == [
        "still cancelling after 6 min: 5,020 found = 4,200 cancelled + 12 dialled + 3 gone + 1 failed + 20 "
        "protected and still queued + 784 remaining; 60.0 cancelled a second. Of those queued now 20 more will "
        "ring: 20 that are left alone. The guard goes on by itself. Look: `callguard status`; stop all "
        "cancelling: `callguard pause`. Stop the program that creates the calls"
    ]


def test_a_drain_that_stands_still_says_so() -> None:
    outbox = Outbox()

    progress_of(outbox, rate=0.0)(at(DRAINING, 360))

    (text,) = outbox.texts
    assert text.startswith("the drain has lasted 6 min and stands still: 5,020 found = 4,200 cancelled + ")
    assert (
        "Of those queued now 804 more will ring: 784 in scope and 20 that are left alone. The guard keeps trying"
        in text
    )


def test_while_paused_nothing_is_progress() -> None:
    outbox = Outbox()

    progress_of(outbox)(at(replace(DRAINING, paused=True), 600))

    assert outbox.asked == 0


def test_the_end_is_told_once_with_an_account_that_adds_up() -> None:
    outbox, book = Outbox(), Book()
    book.incident = replace(INCIDENT, remaining=0, cooled_ms=NOON + 12_000)
    cooling = replace(DRAINING, state=State.COOLING, cancellable=0, out_of_scope=806)
    watches = [progress_of(outbox, book), progress_of(outbox, book)]

    for second in range(30):
        for progress in watches:
            progress(at(cooling, 13 + second))

    (notice,) = outbox.posted
    assert notice.kind is NoticeKind.DONE
    assert notice.text.startswith(
        "done 12 s after the trip: 4,236 found = 4,200 cancelled + 12 dialled + 3 gone + 1 failed + 20 "
        "protected and still queued; 806 others are left alone, and will ring. The guard goes on"
    )
    assert outbox.asked == 2


def test_a_drain_at_its_cap_is_not_done() -> None:
    outbox = Outbox()

    progress_of(outbox)(at(replace(DRAINING, state=State.COOLING, capped=True), 20))

    assert outbox.asked == 0


def test_an_incident_in_which_nothing_was_queued_has_no_such_end() -> None:
    outbox, book = Outbox(), Book()
    book.incident = replace(INCIDENT, outcomes={}, remaining=0, protected=0)

    progress_of(outbox, book)(at(replace(DRAINING, state=State.COOLING), 20))

    assert outbox.asked == 0


def test_who_only_observes_says_that_all_are_dialled() -> None:
    observed = replace(
        INCIDENT, mode=Mode.OBSERVE, outcomes={Outcome.OBSERVED: 2_497}, protected=0, cooled_ms=NOON
    )

    text = done_text(observed, NOON, 0)

    assert "in mode observe: 2,497 found = 2,497 observed. Nothing was cancelled" in text


@pytest.mark.parametrize("remaining", [0, 7])
@pytest.mark.parametrize("protected", [0, 3])
@pytest.mark.parametrize("mode", Mode)
def test_the_sum_is_right_whatever_there_is(mode: Mode, protected: int, remaining: int) -> None:
    outcomes = OUTCOMES if mode is Mode.ENFORCE else {Outcome.OBSERVED: remaining}
    shown = replace(
        INCIDENT, mode=mode, outcomes=outcomes, remaining=remaining, protected=protected
    ).tally.summary()

    total, _, terms = shown.partition(" found")
    parts = [int(term.split()[0].replace(",", "")) for term in terms.removeprefix(" = ").split(" + ") if term]
    assert int(total.replace(",", "")) == sum(parts)
