"""The shipped defaults on made-up traffic: the same code as `python -m tests.benchmarks detectors`, less of it."""

import pytest

from callguard.domain.policy import Policy
from tests.benchmarks.detectors.rate_queue import RateQueue, listed_creations
from tests.benchmarks.detectors.sources import Source, play
from tests.benchmarks.detectors.traffic import DAY_MS, Kind, Traffic, ordinary
from tests.benchmarks.detectors.trials import ALL_CPS, Runaway


@pytest.fixture(scope="module")
def ordinary_day() -> Traffic:
    return ordinary(seed=101, days=1)


def test_a_day_has_its_calls_and_its_batches(ordinary_day: Traffic) -> None:
    assert len(ordinary_day.created_ms) == pytest.approx(6 * 60 * 24 + 60 * 24, rel=0.03)
    assert set(ordinary_day.kinds) == {Kind.ORDINARY}
    assert DAY_MS <= ordinary_day.created_ms[0] <= ordinary_day.created_ms[-1] < 2 * DAY_MS


@pytest.mark.parametrize("source", Source)
@pytest.mark.parametrize("cps", ALL_CPS)
def test_an_ordinary_day_trips_nothing(ordinary_day: Traffic, cps: float, source: Source) -> None:
    judge = play(RateQueue.of(ordinary_day, cps), Policy(cps=cps), source, phase_ms=1234)

    assert judge.trips == []


@pytest.mark.parametrize("cps", [1.0, 5.0])
def test_ten_calls_a_second_trip_within_eight_seconds_through_the_entrance(cps: float) -> None:
    outcome = Runaway.of(cps, 10.0, seed=1001).heard(Source.ENTRANCE, Policy(cps=cps))

    assert outcome.delay is not None
    assert 0 < outcome.delay <= 8
    assert 0 < outcome.dialled <= 1 + 8 * cps


def test_what_is_dialled_at_once_never_queues() -> None:
    runaway = Runaway.of(30.0, 2.0, seed=1001)

    assert runaway.heard(Source.ENTRANCE, Policy(cps=30.0)).delay is None
    assert runaway.queue.most_queued(runaway.begin_ms) < Policy().min_backlog


def test_the_queue_is_first_in_first_out_at_its_rate() -> None:
    traffic = Traffic([0, 0, 100, 5000], [1, 2, 3, 4], [Kind.RUNAWAY] * 4)

    queue = RateQueue.of(traffic, 2.0)

    assert queue.dialled_ms == [0, 500, 1000, 5000]
    assert [list(queue.queued_at(at_ms)) for at_ms in (0, 499, 500, 1000)] == [[1], [1, 2], [2], []]
    assert queue.runaway_dialled_by(999) == 2


def test_a_list_shows_whole_seconds_and_the_guard_spreads_them() -> None:
    traffic = Traffic([100, 200, 300, 1900], [1, 2, 3, 4], [Kind.RUNAWAY] * 4)
    queue = RateQueue.of(traffic, 0.01)

    assert listed_creations(queue, range(1, 4), 1) == [0, 500, 1000]
    assert listed_creations(queue, range(1, 4), 2) == [500, 1000]
