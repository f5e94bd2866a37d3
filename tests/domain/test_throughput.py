"""Learning the CPS from what leaves the queue."""

import pytest

from callguard.domain.throughput import Throughput, disagree, effective_cps

NOW = 1_000_000_000


def watched(rates: list[float], *, step_seconds: int = 10, busy: bool = True) -> Throughput:
    """Look at a busy queue every `step_seconds`, from which calls leave at `rates`, one for each step."""
    known, now, departed = Throughput().after(NOW, 0, is_busy=busy), NOW, 0.0
    for rate in rates:
        now, departed = now + step_seconds * 1000, departed + rate * step_seconds
        known = known.after(now, round(departed), is_busy=busy)
    return known


def test_two_windows_that_agree_are_believed() -> None:
    assert watched([5.0]).learned == 0
    assert watched([5.0, 5.2]).learned == pytest.approx(5.1)


def test_somebody_elses_mass_cancel_is_not_believed() -> None:
    """A thousand calls vanish at once: no dialler did that."""
    assert watched([5.0, 5.0, 100.0, 5.0, 5.0]).learned == pytest.approx(5.0)


def test_a_new_cps_is_learned_once_it_lasts() -> None:
    assert watched([1.0, 1.0, 5.0, 5.0]).learned == pytest.approx(5.0)


def test_nothing_is_learned_while_the_queue_is_empty_or_holds_dead_slots() -> None:
    assert watched([5.0, 5.0, 5.0], busy=False) == Throughput()


def test_a_pause_begins_a_new_window_and_forgets_nothing() -> None:
    known = watched([5.0, 5.0]).after(NOW + 60_000, 200, is_busy=False)

    assert known.learned == pytest.approx(5.0)
    assert known.since_ms == 0


def test_a_slow_account_takes_longer_to_learn() -> None:
    assert watched([0.5, 0.5]).learned == 0
    assert watched([0.5] * 5).learned == pytest.approx(0.5)


@pytest.mark.parametrize(
    ("configured", "learned", "effective", "told"),
    [(5, 0, 5, False), (5, 5.4, 5, False), (5, 4.6, 5, False), (5, 5.8, 5.8, False), (1, 5.0, 5.0, True)],
)
def test_which_cps_counts(configured: float, learned: float, effective: float, told: bool) -> None:
    assert effective_cps(configured, learned) == effective
    assert disagree(configured, learned) is told
