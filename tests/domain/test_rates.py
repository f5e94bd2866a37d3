"""The leaky bucket."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callguard.domain.rates import LeakyBucket

RATE = 1.0


@pytest.mark.parametrize(
    ("times", "level", "onset"),
    [
        pytest.param([1000], 1.0, 1000, id="one call fills it by one"),
        pytest.param([1000, 1500], 1.5, 1000, id="it leaks between two calls"),
        pytest.param([1000, 3000], 1.0, 3000, id="an empty bucket has a new onset"),
        pytest.param([1000] * 10, 10.0, 1000, id="a burst fills it at once"),
        pytest.param([1000, 1100, 1050], 2.9, 1000, id="older news does not turn its clock back"),
        pytest.param([5000, 4500], 1.5, 4500, id="news older than the onset counts what has not leaked"),
        pytest.param([5000, 1000], 1.0, 5000, id="news from long before the onset counts nothing"),
    ],
)
def test_the_level_after_calls(times: list[int], level: float, onset: int) -> None:
    bucket = LeakyBucket().poured(times, RATE)

    assert bucket.level == pytest.approx(level)
    assert bucket.onset_ms == onset


def test_old_news_of_a_burst_is_not_lost() -> None:
    """A hundred calls of five seconds ago, told after one of now, still weigh ninety-five."""
    bucket = LeakyBucket().poured([10_000], RATE).poured([5_000] * 100, RATE)

    assert bucket.level == pytest.approx(1 + 95)
    assert bucket.onset_ms == 5_000


def test_it_holds_no_more_than_its_most() -> None:
    assert LeakyBucket().poured([1000] * 500, RATE, most=130).level == 130


def test_it_is_empty_after_its_level_in_seconds() -> None:
    bucket = LeakyBucket().poured([0] * 10, RATE)

    assert bucket.level_at(9_999, RATE) > 0
    assert bucket.level_at(10_000, RATE) == 0


@given(st.lists(st.integers(0, 100_000), min_size=1, max_size=60), st.floats(0.1, 20))
def test_the_level_stays_between_nothing_and_all(times: list[int], rate: float) -> None:
    bucket = LeakyBucket().poured(sorted(times), rate)

    assert 1 <= bucket.level <= len(times)
    assert min(times) <= bucket.onset_ms <= bucket.updated_ms
