"""One reading answers many: what is kept, for how long, and who shares it."""

import threading
from collections.abc import Callable

import pytest

from callguard.web.probes import KeptAnswer
from tests.waiting import wait_until


class Reading:
    """Counts how often it is made; may be held up, and may fail."""

    def __init__(self) -> None:
        self.made = 0
        self.may_end = threading.Event()
        self.may_end.set()
        self.error: Exception | None = None

    def __call__(self) -> int:
        self.made += 1
        number = self.made
        self.may_end.wait(10)
        if self.error:
            raise self.error
        return number


class Seconds:
    """A monotonic clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def in_threads(count: int, ask: Callable[[], int]) -> tuple[list[threading.Thread], list[int]]:
    answers: list[int] = []
    threads = [threading.Thread(target=lambda: answers.append(ask()), daemon=True) for _ in range(count)]
    for thread in threads:
        thread.start()
    return threads, answers


def test_an_answer_is_kept_for_a_second_and_no_longer() -> None:
    reading, clock = Reading(), Seconds()
    kept = KeptAnswer(reading, 1.0, clock)

    assert [kept.now() for _ in range(100)] == [1] * 100
    clock.now += 0.99
    assert kept.now() == 1
    clock.now += 0.01
    assert kept.now() == 2


def test_an_answer_is_as_old_as_the_beginning_of_its_reading() -> None:
    clock = Seconds()

    def slow() -> float:
        clock.now += 3.0
        return clock.now

    kept = KeptAnswer(slow, 1.0, clock)

    assert (kept.now(), kept.now()) == (103.0, 106.0)


def test_a_failure_is_raised_and_not_kept() -> None:
    reading, clock = Reading(), Seconds()
    kept = KeptAnswer(reading, 1.0, clock)
    reading.error = ValueError("away")

    with pytest.raises(ValueError, match="away"):
        kept.now()
    reading.error = None
    assert kept.now() == 2


def test_who_asks_while_an_answer_is_read_waits_for_it() -> None:
    reading = Reading()
    kept = KeptAnswer(reading, 60.0)
    reading.may_end.clear()

    threads, answers = in_threads(20, kept.now)
    wait_until(lambda: reading.made == 1, "the reading has begun")
    reading.may_end.set()
    for thread in threads:
        thread.join(10)

    assert answers == [1] * 20


def test_where_nothing_is_kept_those_who_ask_meanwhile_share_one_reading() -> None:
    """What has begun before they asked may be too old for them."""
    reading = Reading()
    asked: list[None] = []

    def counting() -> float:
        asked.append(None)
        return float(len(asked))  # each look at the clock is later than all before

    kept = KeptAnswer(reading, 0, counting)
    reading.may_end.clear()
    first, first_answers = in_threads(1, kept.now)
    wait_until(lambda: reading.made == 1, "the first reading has begun")
    others, answers = in_threads(20, kept.now)
    wait_until(lambda: len(asked) == 22, "all others have asked")
    reading.may_end.set()
    for thread in first + others:
        thread.join(10)

    assert first_answers == [1]
    assert answers == [2] * 20
    assert kept.now() == 3
