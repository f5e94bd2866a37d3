"""The line of calls at CPS."""

import pytest

from callguard.domain.rates import Plateau

NOW = 1_000_000_000


def line(gaps_ms: list[int], cps: float = 1.0) -> Plateau:
    plateau, at = Plateau(), NOW
    for gap in gaps_ms:
        at += gap
        plateau = plateau.after(at, cps)
    return plateau


def test_calls_at_cps_are_a_line() -> None:
    assert line([1000] * 121).seconds_at(NOW + 121_000, 1.0) == 120


def test_a_late_second_does_not_end_it() -> None:
    """CPS is a mean: four seconds without a call, then four at once."""
    gaps = [1000] * 50 + [4000, 0, 0, 0] + [1000] * 20

    assert line(gaps).since_ms == NOW + 1000


def test_a_gap_ends_it() -> None:
    assert line([1000] * 50 + [6000] + [1000] * 5).since_ms == NOW + 56_000
    assert line([1000] * 50).seconds_at(NOW + 50_000 + 6_000, 1.0) == 0


def test_less_than_nine_tenths_is_no_line() -> None:
    assert line([1250] * 200).seconds_at(NOW + 250_000, 1.0) < 60


@pytest.mark.parametrize("cps", [1.0, 5.0, 30.0])
def test_nine_tenths_will_do(cps: float) -> None:
    gap = round(1000 / (cps * 0.95))

    assert line([gap] * 1000, cps).since_ms == NOW + gap


def test_news_out_of_order_fills_the_gap() -> None:
    plateau = line([1000] * 10)

    assert plateau.after(NOW + 500, 1.0).at_ms == plateau.at_ms
