"""Histories whose result is known, played through the rules."""

import random
from collections.abc import Iterable
from dataclasses import replace

import pytest

from callguard.domain.backtest import Backtest
from callguard.domain.calls import CallStatus
from callguard.domain.history import NEVER_MS, HistoricCall, History, HistoryBuilder
from callguard.domain.policy import Policy
from callguard.domain.rates import LeakyBucket, Plateau
from callguard.domain.replay import Replay
from callguard.domain.snapshot import Rule
from callguard.domain.sources import Source
from callguard.domain.thresholds import Threshold, tightest

NOON = 1_790_000_000_000  # a multiple of five seconds
POLICY = Policy(
    cps=1, spike_rate=1, spike_burst=10, initiated_rate=0.5, initiated_burst=1000, min_backlog=5, poll_seconds=5
)


def call(
    number: int, created_ms: int | None, started_ms: int | None = None, *, to: str = "", **more: object
) -> HistoricCall:
    values = {"ended_ms": None, "queue_ms": None, "status": CallStatus.COMPLETED, "is_child": False} | more
    return HistoricCall(
        f"CA{number:032x}", created_ms, started_ms, from_number="+15550100001",
        to_number=to or f"+1555{number:07d}", **values,  # type: ignore[arg-type]
    )  # fmt: skip


def history(calls: Iterable[HistoricCall], policy: Policy = POLICY) -> History:
    builder = HistoryBuilder(policy)
    for one in calls:
        builder.add(one)
    return builder.build()


def runaway(count: int = 30, at_ms: int = NOON + 1, **more: object) -> list[HistoricCall]:
    """Calls created a millisecond apart, and dialled one a second, the first at once."""
    return [call(n, at_ms + n, at_ms + max(n, n * 1000), **more) for n in range(count)]  # type: ignore[arg-type]


def with_policy(**changes: object) -> Policy:
    return replace(POLICY, **changes)  # type: ignore[arg-type]


def test_at_the_entrance_a_spike_trips_with_the_eleventh_call() -> None:
    """The tenth makes the level 9.991. Of eleven, one has been dialled; later ones are cancelled as they come."""
    (trip,) = Backtest(history(runaway()), POLICY).run()

    assert (trip.finding.rule, trip.at_ms) == (Rule.SPIKE, NOON + 1 + 10)
    assert trip.finding.observed == pytest.approx(10.99)
    assert (trip.queued, trip.cancelled) == (10, 29)
    assert trip.ended_ms == trip.at_ms + 60_000


def test_callbacks_ask_for_the_list_before_they_trip() -> None:
    """The level of the ninth is 5; a second later the list shows the 20 that are left."""
    policy = with_policy(initiated_burst=5, spike_burst=1000)

    (trip,) = Backtest(history(runaway()), policy, Source.CALLBACK).run()

    assert (trip.finding.rule, trip.at_ms) == (Rule.INITIATED, NOON + 1 + 8000 + 1000)
    assert (trip.queued, trip.cancelled) == (20, 20)


def test_a_poll_sees_what_is_still_queued_at_its_time() -> None:
    """Five have been dialled by the first poll."""
    (trip,) = Backtest(history(runaway()), POLICY, Source.POLL).run()

    assert (trip.finding.rule, trip.at_ms) == (Rule.SPIKE, NOON + 5000)
    assert (trip.queued, trip.cancelled) == (25, 25)


def test_the_guard_is_armed_again_when_it_is_quiet() -> None:
    later = [one._replace(call_sid=f"CB{n:032x}") for n, one in enumerate(runaway(at_ms=NOON + 60_012))]

    first, second = Backtest(history([*runaway(), *later]), POLICY).run()

    assert first.ended_ms == NOON + 11 + 60_000
    assert second.at_ms == NOON + 60_012 + 10
    assert second.cancelled == 29


def test_while_calls_keep_coming_one_incident_goes_on() -> None:
    """Two calls a second for five minutes are more than `spike_rate` allows for ever."""
    calls = [call(n, NOON + 1 + 500 * n, NOON + 1 + 1000 * n) for n in range(600)]

    (trip,) = Backtest(history(calls), POLICY).run()

    assert trip.ended_ms == NOON + 1 + 500 * (600 - 61) + 60_000


def test_calls_on_the_never_cancel_list_are_no_backlog() -> None:
    policy = with_policy(never_cancel=("+1555010*",))

    assert Backtest(history(runaway(), policy), policy).run() == []


def test_the_cap_bounds_what_is_cancelled() -> None:
    policy = with_policy(max_cancellations=15)

    (trip, *_) = Backtest(history(runaway(), policy), policy).run()

    assert trip.cancelled == 15


def test_a_telephone_that_is_called_again_and_again() -> None:
    policy = with_policy(spike_burst=1000, repeat_limit=20)

    (trip,) = Backtest(history(runaway(to="+15551234567")), policy).run()

    assert (trip.finding.rule, trip.at_ms) == (Rule.REPEAT, NOON + 1 + 19)


def test_whole_seconds_are_spread_and_the_order_of_rows_does_not_matter() -> None:
    calls = [call(n, NOON + n // 10 * 1000, NOON + n * 1000) for n in range(100)]
    shuffled = random.Random(1).sample(calls, len(calls))

    assert history(shuffled) == history(calls)
    assert list(history(calls).created_ms[:11]) == [NOON + 100 * n for n in range(10)] + [NOON + 1000]


@pytest.mark.parametrize(
    ("told", "created_ms", "left_ms", "dialled"),
    [
        pytest.param(call(1, NOON + 5, NOON + 9), NOON + 5, NOON + 9, 1, id="both times"),
        pytest.param(call(1, None, NOON + 2001, queue_ms=1500), NOON + 501, NOON + 2001, 1, id="queue time"),
        pytest.param(call(1, None, NOON + 1), NOON + 1, NOON + 1, 1, id="start time only"),
        pytest.param(call(1, NOON + 1, queue_ms=70), NOON + 1, NOON + 71, 1, id="creation and queue time"),
        pytest.param(call(1, NOON + 1, status=CallStatus.QUEUED), NOON + 1, NEVER_MS, 0, id="still queued"),
        pytest.param(
            call(1, NOON + 1, ended_ms=NOON + 8, status=CallStatus.CANCELED), NOON + 1, NOON + 8, 0, id="cancelled"
        ),
        pytest.param(call(1, NOON + 9, NOON + 5), NOON + 9, NOON + 9, 1, id="dialled before it was created"),
    ],
)
def test_what_a_call_tells_of_its_time_in_the_queue(
    told: HistoricCall, created_ms: int, left_ms: int, dialled: int
) -> None:
    one = history([told])

    assert (one.created_ms[0], one.left_ms[0], one.dialled[0]) == (created_ms, left_ms, dialled)


def test_what_is_no_call_of_the_queue_is_counted() -> None:
    builder = HistoryBuilder(POLICY)
    for one in (call(1, NOON), call(1, NOON), call(2, NOON, is_child=True), call(3, None)):
        builder.add(one)

    assert (len(builder), builder.repeated, builder.children, builder.undated) == (1, 1, 1, 1)


def random_history(seed: int) -> History:
    """Calm, bursts, a few destinations, calls that nobody dialled, all by chance."""
    luck, at, free, calls = random.Random(seed), NOON, NOON, []
    for number in range(luck.randrange(50, 600)):
        at += int(luck.expovariate(luck.choice((0.0002, 0.002, 0.05))))
        free = max(free, at) + 500
        fate = luck.random()
        started = free - 500 if fate > 0.1 else None
        status = CallStatus.QUEUED if fate < 0.01 else CallStatus.CANCELED if fate < 0.1 else CallStatus.COMPLETED
        ended = at + luck.randrange(100_000)
        calls.append(call(number, at, started, status=status, ended_ms=ended, to=f"+1555{luck.randrange(40):07d}"))
    return history(calls)


def random_policy(seed: int) -> Policy:
    luck = random.Random(seed)
    return Policy(
        cps=2,
        spike_rate=luck.choice((0.5, 2)),
        spike_burst=luck.choice((5, 20, 90)),
        initiated_rate=1,
        initiated_burst=luck.choice((5, 40)),
        plateau_seconds=luck.choice((10, 60)),
        repeat_limit=luck.choice((3, 9)),
        max_backlog=luck.choice((15, 80)),
        max_drain_seconds=luck.choice((10, 60)),
        min_backlog=luck.choice((3, 12)),
        quiet_seconds=luck.choice((5, 60)),
        poll_seconds=luck.choice((0.7, 5)),
    )


@pytest.mark.parametrize("source", Source)
@pytest.mark.parametrize("seed", range(40))
def test_the_short_cut_decides_as_judging_at_every_event_does(source: Source, seed: int) -> None:
    past, policy = random_history(seed), random_policy(seed)
    patient = Backtest(past, policy, source)
    patient.replay.needs_judging = lambda now_ms: True  # type: ignore[method-assign]  # noqa: ARG005

    assert Backtest(past, policy, source).run() == patient.run()


@pytest.mark.parametrize("source", Source)
@pytest.mark.parametrize("seed", range(40))
def test_the_tightest_thresholds_are_proven(source: Source, seed: int) -> None:
    found = tightest(random_history(seed), random_policy(seed), source)

    assert found.is_proven


@pytest.mark.parametrize("seed", range(20))
def test_a_threshold_tighter_by_one_would_trip(seed: int) -> None:
    """At the entrance, for each rule that was reached at all; the others are as the proof had them."""
    past, policy = random_history(seed), random_policy(seed)
    thresholds = tightest(past, policy, Source.REPORT).thresholds
    proven = {one.setting: one.tightest for one in thresholds}

    for one in thresholds:
        if one.tightest is not None and one.reached > 2 and one.tightest > (10 if "plateau" in one.setting else 2):
            tighter = with_policy(**_fields(policy) | proven | {one.setting: one.tightest - 1})
            trips = Backtest(past, tighter, Source.REPORT).run()
            assert trips, one.setting
            assert trips[0].finding.setting == one.setting


def _fields(policy: Policy) -> dict[str, object]:
    return {name: getattr(policy, name) for name in Policy.__dataclass_fields__}


def test_the_tightest_thresholds_of_a_known_history() -> None:
    """30 calls a millisecond apart at 1 CPS: level 30 less 0.029; 29 wait 29 s and 29 ms; one destination each."""
    found = tightest(history(runaway()), POLICY, Source.REPORT)

    assert [(one.setting, one.tightest) for one in found.thresholds] == [
        ("spike_burst", 30),
        ("initiated_burst", 14),
        ("plateau_seconds", 25),
        ("repeat_limit", 2),
        ("max_backlog", 29),
        ("max_drain_seconds", 29),
    ]
    assert found.is_proven


def test_rules_that_hear_nothing_from_a_source_have_no_threshold() -> None:
    found = tightest(history(runaway()), POLICY, Source.POLL)

    assert found.thresholds[1] == Threshold("initiated_burst", 1000, None)


@pytest.mark.parametrize("seed", range(20))
def test_the_replay_keeps_the_arithmetic_of_buckets_and_plateau(seed: int) -> None:
    luck, policy = random.Random(seed), Policy(cps=3, spike_burst=8, initiated_burst=8)
    replay, queued, initiated, plateau, at = Replay(policy), LeakyBucket(), LeakyBucket(), Plateau(), NOON
    for _ in range(300):
        at += int(luck.expovariate(0.003))
        times = sorted(at - luck.randrange(3000) * (luck.random() < 0.2) for _ in range(luck.randrange(4)))
        replay.entered(times, at)
        queued = queued.poured(times, policy.spike_rate, policy.spike_burst * 2)
        heard = at - luck.randrange(2000) * (luck.random() < 0.2)
        replay.dialled(heard)
        initiated = initiated.poured((heard,), policy.initiated_rate, policy.initiated_burst * 2)
        plateau = plateau.after(heard, policy.cps)
        known = replay.snapshot(at)

        assert (known.queued, known.initiated, known.plateau) == (queued, initiated, plateau)
        assert replay.figures(at)[:3] == (
            queued.level_at(at, policy.spike_rate),
            initiated.level_at(at, policy.initiated_rate),
            plateau.seconds_at(at, policy.cps),
        )
