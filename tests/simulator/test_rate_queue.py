"""The rate queue: slots, dead ones too, pass at calls per second."""

import pytest

from callguard.simulator.calls import Call, NewCall
from callguard.simulator.rate_queue import QueueFullError, RateQueue

NOW = 1_000_000.0
ORDER = NewCall("+15005550006", "+15005550001")


def join(queue: RateQueue, number: int, now: float = NOW) -> float:
    slot = queue.slot_for_new(now)
    queue.join(Call(f"CA{number:032x}", number, ORDER, now, 0), now)
    return slot - now


@pytest.mark.parametrize(("cps", "waits"), [(1, [0, 1, 2, 3]), (2, [0, 0.5, 1, 1.5]), (0.5, [0, 2, 4, 6])])
def test_calls_wait_for_their_slot(cps: float, waits: list[float]) -> None:
    queue = RateQueue(cps)

    assert [join(queue, number) for number in range(4)] == pytest.approx(waits)


def test_slots_pass_one_by_one() -> None:
    queue = RateQueue(2)
    for number in range(4):
        join(queue, number)

    passed = [(slot - NOW, call.number) for slot, call in queue.due(NOW + 1.2)]

    assert passed == [(0.0, 0), (0.5, 1), (1.0, 2)]
    assert queue.next_due() == NOW + 1.5
    assert len(queue) == 1


def test_a_call_after_a_pause_is_dialled_at_once() -> None:
    queue = RateQueue(1)
    join(queue, 0)
    list(queue.due(NOW))

    assert join(queue, 1, NOW + 0.25) == pytest.approx(0.75)
    list(queue.due(NOW + 1))
    assert join(queue, 2, NOW + 60) == 0


def test_a_changed_rate_spaces_waiting_slots_anew() -> None:
    queue = RateQueue(1)
    for number in range(11):
        join(queue, number)
    list(queue.due(NOW))

    queue.change_rate(10, NOW)

    assert queue.next_free() == pytest.approx(NOW + 0.1 + 1.0)


@pytest.mark.parametrize("cps", [1, 0.5])
def test_a_day_of_calls_is_the_most_that_waits(cps: float) -> None:
    queue = RateQueue(cps)
    for number in range(int(86_400 * cps)):
        join(queue, number)

    with pytest.raises(QueueFullError):
        queue.slot_for_new(NOW)


@pytest.mark.parametrize("cps", [0, -1, float("nan"), 1e9])
def test_an_impossible_rate_is_refused(cps: float) -> None:
    with pytest.raises(ValueError, match="cps"):
        RateQueue(cps)
