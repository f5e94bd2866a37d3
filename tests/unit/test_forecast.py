"""The forecast against a race that is played call by call."""

import pytest

from callguard.domain.forecast import will_be_dialled


def raced(remaining: int, rate: float, cps: float, dead: int) -> int:
    """Play it in steps of a thousandth of a second: slots in order, the dead ones first."""
    slots = [False] * dead + [True] * remaining
    swept, dialled_to, rung, now = dead, 0, 0, 0.0
    step = 0.001
    to_cancel = to_dial = 0.0
    while any(slots[max(swept, dialled_to) :]):
        now += step
        to_cancel, to_dial = to_cancel + rate * step, to_dial + cps * step
        while to_dial >= 1 and dialled_to < len(slots):
            rung += slots[dialled_to]
            slots[dialled_to] = False
            dialled_to, to_dial = dialled_to + 1, to_dial - 1
        swept = max(swept, dialled_to)
        while to_cancel >= 1 and swept < len(slots):
            slots[swept] = False
            swept, to_cancel = swept + 1, to_cancel - 1
    return rung


@pytest.mark.parametrize("rate", [0.0, 1.0, 3.0, 4.5])
@pytest.mark.parametrize("dead", [0, 20, 150])
def test_a_sweep_slower_than_the_dialler(rate: float, dead: int) -> None:
    assert will_be_dialled(200, rate, 5.0, dead) == pytest.approx(raced(200, rate, 5.0, dead), abs=4)


def test_a_sweep_faster_than_the_dialler_is_never_caught_up() -> None:
    assert will_be_dialled(10_000, 900, 30, 0) == 0
    assert raced(500, 900, 30, 0) <= 1


def test_without_a_sweep_all_are_dialled() -> None:
    assert will_be_dialled(40, 0, 5, 0) == 40


def test_nothing_remains() -> None:
    assert will_be_dialled(0, 0, 5, 10) == 0
