"""Small pure things: drain time, numbers, histograms, the concurrency limit."""

import pytest

from callguard.domain.addresses import NumberList, masked
from callguard.domain.drain_time import drain_seconds, horizon_after, horizon_at_least, phantom_slots
from callguard.domain.histograms import Histogram


def test_each_created_call_moves_the_horizon_by_one_slot() -> None:
    horizon = 0.0
    for _ in range(10):
        horizon = horizon_after(horizon, 1_000_000, cps=5)

    assert drain_seconds(horizon, 1_000_000) == pytest.approx(2.0)


def test_cancelling_leaves_the_horizon_and_time_does_not() -> None:
    horizon = 1_000_000 + 400_000.0

    assert phantom_slots(horizon, 1_000_000, depth=2000, cps=5) == 0
    assert phantom_slots(horizon, 1_000_000, depth=0, cps=5) == 2000
    assert phantom_slots(horizon, 1_100_000, depth=0, cps=5) == 1500
    assert drain_seconds(horizon, 1_500_000) == 0


def test_a_queue_that_was_there_before_us_is_counted() -> None:
    assert horizon_at_least(0.0, 1_000_000, depth=50, cps=5) == 1_010_000
    assert horizon_at_least(2_000_000.0, 1_000_000, depth=50, cps=5) == 2_000_000


@pytest.mark.parametrize(
    ("number", "listed"),
    [
        ("+15550001111", True),
        ("+15550001112", False),
        ("+4420123456", True),
        ("+44", True),
        ("+4", False),
        ("", False),
    ],
)
def test_never_cancel_takes_exact_numbers_and_prefixes(number: str, listed: bool) -> None:
    assert (number in NumberList(["+15550001111", "+44*"])) is listed


@pytest.mark.parametrize(
    ("number", "shown"),
    [("+15551234501", "+1555***01"), ("12345", "***"), ("", "***"), ("+1234567", "+1***67")],
)
def test_a_shown_number_cannot_be_called(number: str, shown: str) -> None:
    assert masked(number) == shown


def test_a_histogram_puts_each_value_into_one_counter() -> None:
    histogram = Histogram("delay", (0.5, 1.0))
    totals = {"delay_sum": 3.7}
    for seconds in (0.5, 0.7, 1.0, 1.5):
        totals[histogram.field(seconds)] = totals.get(histogram.field(seconds), 0) + 1

    assert histogram.cumulated(totals) == [("0.5", 1), ("1.0", 3), ("+Inf", 4)]
    assert histogram.sum_of(totals) == 3.7
