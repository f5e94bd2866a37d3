"""Thresholds that an account's own days suggest; the whole table is `tests.benchmarks.detectors.suggested`."""

from dataclasses import replace

import pytest

from callguard.domain.backtest import Backtest
from callguard.domain.history import HistoricCall, HistoryBuilder
from callguard.domain.policy import Policy, Unqueued
from callguard.domain.suggestion import sparing, suggested
from tests.benchmarks.detectors.suggested import days_of, delay, history_of, judged, learned
from tests.benchmarks.detectors.traffic import Kind, Traffic


@pytest.mark.parametrize("cps", [1.0, 30.0])
def test_later_days_open_no_incident(cps: float) -> None:
    policy = learned(101, 0.1, cps, days=3)

    found = judged(policy, 201, 0.1, days=3)

    assert (found.incidents, found.cancelled, found.rules) == (0, 0, ())


def test_ten_calls_a_second_without_a_queue_are_an_incident_within_thirty_seconds() -> None:
    policy = learned(101, 0.1, 30.0, days=3)

    assert 0 < delay(policy, 301, 0.1) <= 30


@pytest.mark.full
@pytest.mark.parametrize("seed", [101, 102])
@pytest.mark.parametrize("cps", [1.0, 5.0, 30.0])
def test_thirty_days_on_fourteen_open_no_incident(cps: float, seed: int) -> None:
    policy = learned(seed, 0.1, cps)

    assert judged(policy, seed + 1000, 0.1).incidents == 0
    assert delay(policy, seed + 2000, 0.1) <= 30


def test_nothing_queued_suggests_no_drain() -> None:
    found = suggested(history_of(days_of(1, 0.1, 3), 1000.0), Policy(cps=1000.0))
    values = {one.setting: one.value for one in found.settings}

    assert values["max_drain_seconds"] is None
    assert values["spike_burst"] is not None


def test_too_few_days_have_a_reason() -> None:
    found = suggested(history_of(days_of(1, 0.1, 2), 1.0), Policy())

    assert found.settings == ()
    assert "on 2 days are too few" in found.reason


def test_with_the_lines_that_spare_a_day_nothing_is_crossed() -> None:
    history = history_of(days_of(1, 0.1, 1), 1.0)
    tight = Policy(spike_burst=20.0, initiated_burst=20.0, plateau_seconds=20.0, max_backlog=30)
    played = Backtest(history, tight)
    assert played.run() or played.unqueued

    (lines,) = sparing(history, tight).values()
    protected = Backtest(history, replace(tight, **lines))  # type: ignore[arg-type]

    assert (protected.run(), protected.unqueued) == ([], [])


def test_a_crossed_rule_without_a_queue_is_one_incident() -> None:
    burst = Traffic.of((1_000_000 + 50 * n, n, Kind.RUNAWAY) for n in range(900))
    played = Backtest(history_of(burst, 30.0), Policy(cps=30.0))

    assert played.run() == []
    (one,) = played.unqueued
    assert one.finding.setting == "spike_burst"


def test_what_the_policy_ignores_is_not_listed() -> None:
    burst = Traffic.of((1_000_000 + 50 * n, n, Kind.RUNAWAY) for n in range(900))
    played = Backtest(history_of(burst, 30.0), Policy(cps=30.0, unqueued=Unqueued.IGNORE))

    assert (played.run(), played.unqueued) == ([], [])


@pytest.mark.parametrize(("exempt", "incidents"), [((), 1), (("+15550100001",), 0), (("+1555*",), 0)])
def test_telephones_that_may_be_called_often_are_no_incident(exempt: tuple[str, ...], incidents: int) -> None:
    policy = Policy(cps=30.0, initiated_burst=1000, spike_burst=1000, repeat_exempt=exempt)
    builder = HistoryBuilder(policy)
    for n in range(60):
        at_ms = 1_000_000 + 500 * n
        call = HistoricCall("", at_ms, at_ms, None, None, None, False, "+15550100000", "+15550100001")
        builder.add(call)
    played = Backtest(builder.build(), policy)
    played.run()

    assert [one.finding.setting for one in played.unqueued] == ["repeat_limit"] * incidents
