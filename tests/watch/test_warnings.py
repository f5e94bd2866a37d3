"""A person hears of what is half way to a trip, once in a while and in plain figures."""

from dataclasses import replace

import pytest

from callguard.config.accounts import Account
from callguard.domain.culprits import Culprit
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.policy import Policy
from callguard.domain.rates import LeakyBucket
from callguard.domain.snapshot import Repeats, Rule, Snapshot, State
from callguard.domain.throughput import Throughput
from callguard.watch.warnings import Warnings
from tests.outbox import Outbox

SID = "AC" + "0" * 31 + "1"
NOON = 1_767_355_200_000  # 2026-01-02T12:00:00Z
SPIKE = Snapshot(NOON, cancellable=100, protected=20, queued=LeakyBucket(33, NOON, NOON - 53_000))


@pytest.fixture
def outbox() -> Outbox:
    return Outbox()


def warnings_of(outbox: Outbox, counted: list[str] | None = None, policy: Policy | None = None) -> Warnings:
    account = Account(SID, ("token",), policy=policy or Policy())
    return Warnings(account, outbox, (counted if counted is not None else []).append)


def later(snapshot: Snapshot, seconds: float) -> Snapshot:
    """The same some seconds later: as many calls above the rate."""
    now_ms = snapshot.now_ms + round(seconds * 1000)
    return replace(snapshot, now_ms=now_ms, queued=replace(snapshot.queued, updated_ms=now_ms))


def test_a_rule_that_is_half_way_is_told_with_its_figures(outbox: Outbox) -> None:
    counted: list[str] = []

    warnings_of(outbox, counted).look(SPIKE)

    text = "spike: 33 of 65 (spike_burst) since 11:59:07 UTC; 120 queued. Nothing is cancelled at this level."
    assert outbox.posted == [Notice(SID, NoticeKind.WARNING, text, NOON)]
    assert counted == ["spike"]


def test_below_the_level_nobody_is_told(outbox: Outbox) -> None:
    warnings_of(outbox).look(replace(SPIKE, queued=LeakyBucket(32, NOON, NOON)))

    assert outbox.asked == 0


def test_the_numbers_that_carry_it_are_named_masked(outbox: Outbox) -> None:
    asked: list[Rule] = []

    def culprits(rule: Rule) -> list[Culprit]:
        asked.append(rule)
        return [Culprit("h1", "+1555***01", 0.8), Culprit("h2", "+1555***02", 0.155)]

    watch = warnings_of(outbox)

    watch.look(SPIKE, culprits)
    watch.look(later(SPIKE, 1), culprits)

    assert "; 120 queued, from +1555***01 (80%), +1555***02 (16%). Nothing" in outbox.posted[0].text
    assert asked == [Rule.SPIKE]


def test_a_rule_is_told_again_after_ten_minutes(outbox: Outbox) -> None:
    counted: list[str] = []
    watch = warnings_of(outbox, counted)

    for second in range(0, 1260, 1):
        watch.look(later(SPIKE, second))

    assert [(notice.at_ms - NOON) // 1000 for notice in outbox.posted] == [0, 600, 1200]
    assert counted == ["spike"] * 3
    assert outbox.asked == 126, "a standing warning asks the outbox every ten seconds only"


def test_each_rule_is_told_for_itself(outbox: Outbox) -> None:
    snapshot = replace(SPIKE, cancellable=501, repeats=Repeats(10, NOON - 86_400_000, NOON))

    warnings_of(outbox).look(snapshot)

    assert [notice.text.partition(";")[0] for notice in outbox.posted] == [
        "spike: 33 of 65 (spike_burst) since 11:59:07 UTC",
        "repeat: 10 of 20 (repeat_limit) since 2026-01-01 12:00:00 UTC",
        "backlog: 501 of 1000 (max_backlog) since 12:00:00 UTC",
    ]


def test_times_have_their_unit(outbox: Outbox) -> None:
    snapshot = Snapshot(NOON, cancellable=400, counted_ms=NOON + 950_000, shallow_ms=NOON - 1000)

    warnings_of(outbox, policy=Policy(cps=0.3)).look(snapshot)

    (notice,) = outbox.posted
    assert notice.text.startswith("backlog: 950 s of 1800 s (max_drain_seconds) since 11:59:59 UTC; 400 queued.")


def test_what_trips_is_not_warned_of(outbox: Outbox) -> None:
    watch = warnings_of(outbox)

    watch.look(replace(SPIKE, queued=LeakyBucket(65, NOON, NOON)))
    watch.look(replace(SPIKE, state=State.DRAINING))
    watch.look(replace(SPIKE, paused=True))

    assert outbox.asked == 0


def test_a_crossed_rule_that_cannot_trip_is_warned_of(outbox: Outbox) -> None:
    """Too few calls are queued for a trip: nobody else would say anything."""
    warnings_of(outbox).look(replace(SPIKE, cancellable=3, queued=LeakyBucket(70, NOON, NOON)))

    assert outbox.posted[0].text.startswith("spike: 70 of 65 (spike_burst)")


def test_a_cps_that_cannot_be_right_is_told_every_hour(outbox: Outbox) -> None:
    counted: list[str] = []
    watch = warnings_of(outbox, counted)

    for second in range(0, 3700, 5):
        watch.look(Snapshot(NOON + second * 1000, throughput=Throughput(learned=4.96)))

    assert [notice.at_ms - NOON for notice in outbox.posted] == [0, 3_600_000]
    assert outbox.posted[0].kind is NoticeKind.CPS
    assert outbox.posted[0].text == (
        "Twilio dials 5.0 calls per second, CALLGUARD_POLICY__CPS (or cps in the account's table) says 1: "
        "set it to 5"
    )
    assert counted == []


@pytest.mark.parametrize("learned", [0.0, 0.9, 1.1])
def test_a_cps_that_may_be_right_is_no_news(learned: float, outbox: Outbox) -> None:
    warnings_of(outbox).look(Snapshot(NOON, throughput=Throughput(learned=learned)))

    assert outbox.asked == 0
