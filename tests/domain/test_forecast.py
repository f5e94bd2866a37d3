"""The forecast against a race that is played call by call."""

from dataclasses import replace

import pytest

from callguard.domain.forecast import Forecast, forecast, will_be_dialled
from callguard.domain.policy import Mode, Policy
from callguard.domain.snapshot import Snapshot, State


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


POLICY = Policy(cps=5.0)
DRAINING = Snapshot(1_000_000, state=State.DRAINING, cancellable=1_000)


def test_while_paused_every_call_rings_whatever_was_cancelled_just_now() -> None:
    will_ring = forecast(replace(DRAINING, paused=True), POLICY, 161.6)

    assert will_ring == Forecast(1_000.0, 0, "paused")
    assert will_ring.words == "1,000 more will ring: 1,000 in scope (paused)"


def test_what_is_left_alone_rings() -> None:
    snapshot = replace(DRAINING, cancellable=0, out_of_scope=800, protected=20, announced=6)

    will_ring = forecast(snapshot, POLICY, 900.0)

    assert will_ring.dialled == 826
    assert will_ring.words == "826 more will ring: 826 that are left alone"


def test_at_its_cap_the_drain_lets_the_rest_ring() -> None:
    snapshot = replace(DRAINING, state=State.COOLING, capped=True, out_of_scope=3)

    assert forecast(snapshot, POLICY, 40.0).words == (
        "1,003 more will ring: 1,000 in scope (stopped at max_cancellations) and 3 that are left alone"
    )


def test_who_only_observes_lets_all_ring() -> None:
    assert forecast(DRAINING, replace(POLICY, mode=Mode.OBSERVE), 0.0) == Forecast(1_000.0, 0, "mode observe")


def test_none_will_ring_only_where_that_is_so() -> None:
    fast = forecast(DRAINING, POLICY, 200.0)

    assert (fast.dialled, fast.words) == (0, "0 more will ring")
    assert forecast(replace(DRAINING, cancellable=0, paused=True), POLICY, 0.0).words == "0 more will ring"


def test_a_slow_sweep_and_what_is_left_alone_add_up() -> None:
    will_ring = forecast(replace(DRAINING, out_of_scope=10), POLICY, 4.0)

    assert will_ring.in_scope == will_be_dialled(1_000, 4.0, 5.0, 0)
    assert will_ring.dialled == will_ring.in_scope + 10
    assert will_ring.words == "210 more will ring: 200 in scope and 10 that are left alone"


def test_without_an_incident_nothing_is_forecast() -> None:
    assert forecast(replace(DRAINING, state=State.ARMED), POLICY, 0.0) == Forecast()
