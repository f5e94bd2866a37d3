"""Statuses, phases, and the order of listed calls."""

import pytest

from callguard.domain.calls import CallStatus, ListedCall, Phase, by_creation

NOW = 60_000


@pytest.mark.parametrize(
    ("status", "phase", "dialled"),
    [
        (CallStatus.QUEUED, Phase.QUEUED, False),
        (CallStatus.INITIATED, Phase.INITIATED, True),
        (CallStatus.RINGING, Phase.RINGING, True),
        (CallStatus.IN_PROGRESS, Phase.IN_PROGRESS, True),
        (CallStatus.COMPLETED, Phase.ENDED, True),
        (CallStatus.BUSY, Phase.ENDED, True),
        (CallStatus.FAILED, Phase.ENDED, True),
        (CallStatus.NO_ANSWER, Phase.ENDED, True),
        (CallStatus.CANCELED, Phase.ENDED, False),
    ],
)
def test_what_a_status_says(status: CallStatus, phase: Phase, dialled: bool) -> None:
    assert status.phase is phase
    assert status.has_been_dialled is dialled


def listed(name: str, created_ms: int, queue_ms: int = 0) -> ListedCall:
    return ListedCall(name, created_ms, queue_ms, "+15550001", "+15550002")


def names(*calls: ListedCall) -> list[str]:
    return [call.call_sid for _, call in by_creation(calls, NOW)]


def test_calls_of_one_second_are_ordered_by_how_long_they_expected_to_wait() -> None:
    assert names(listed("c", 1000, 400), listed("a", 1000, 0), listed("b", 1000, 200)) == ["a", "b", "c"]


def test_without_that_the_list_is_taken_for_newest_first() -> None:
    assert names(listed("c", 2000), listed("b", 1000), listed("a", 1000)) == ["a", "b", "c"]


def test_they_are_spread_over_their_second() -> None:
    assert [at for at, _ in by_creation([listed(str(n), 5000) for n in range(4)], NOW)] == [5000, 5250, 5500, 5750]


def test_where_twilios_clock_is_ahead_all_are_set_back_alike() -> None:
    """Squeezed into the present second they would look like a burst."""
    steady = [listed(str(n), NOW + 8_000 - n * 1000) for n in range(20)]

    assert [at for at, _ in by_creation(steady, NOW + 400)] == [NOW - n * 1000 for n in range(19, -1, -1)]
