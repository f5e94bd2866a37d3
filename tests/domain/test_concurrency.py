"""How many requests at once: against a ceiling that nobody tells, and refusals that have nothing to do with it."""

import random
from random import Random

import pytest

from callguard.domain.concurrency import ConcurrencyLimit
from callguard.domain.refusals import MAX_BY_CHANCE, Baseline, most_by_chance
from callguard.domain.unsteady import UnsteadyLimit


def served(
    limit: ConcurrencyLimit, ceiling: int, seconds: float, start: float = 0.0, *, throttled: float = 0.0
) -> tuple[list[int], float]:
    """Play a Twilio that serves `ceiling` requests in 0.1 s each, refuses more at once, and some by chance.

    Returns the limit at each round trip, and the share of the requests that were refused.
    """
    limits, sent, refused, luck = [], 0, 0, Random(7)
    for turn in range(int(seconds * 10)):
        now, allowed = start + turn / 10, limit.allowed
        numbers = [limit.sent() for _ in range(allowed)]
        for under_way, number in enumerate(numbers, start=1):
            sent += 1
            if under_way > ceiling or luck.random() < throttled:
                refused += 1
                limit.refused(number, under_way, now)
            else:
                limit.served(number, allowed, now)
        limits.append(min(allowed, ceiling))
    return limits, refused / sent


def test_it_finds_any_ceiling_and_stays_below_it() -> None:
    for ceiling in (1, 3, 20, 50, 100):
        limit = ConcurrencyLimit()
        served(limit, ceiling, seconds=10)
        limits, refused = served(limit, ceiling, seconds=30, start=10)

        assert sum(limits) / len(limits) >= 0.85 * ceiling, ceiling
        assert refused < 0.02 or ceiling < 10, ceiling


def test_room_that_others_leave_is_found() -> None:
    limit = ConcurrencyLimit()
    served(limit, 10, seconds=10)
    limits, _ = served(limit, 80, seconds=10, start=10)

    assert limits[0] <= 12
    assert limits[-1] >= 70


def test_a_moment_of_others_does_not_throw_it_back_to_nothing() -> None:
    limit = ConcurrencyLimit(limit=100, is_searching=False)
    limit.refused(limit.sent(), under_way=2, now=1.1)

    assert limit.allowed == 70


def test_refusals_of_what_was_sent_before_the_fall_tell_nothing_new() -> None:
    limit = ConcurrencyLimit(limit=100, is_searching=False)
    numbers = [limit.sent() for _ in range(10)]
    for number in numbers:
        limit.refused(number, under_way=100, now=2.0)

    assert limit.allowed == 99


def test_it_does_not_grow_while_it_is_not_used() -> None:
    limit = ConcurrencyLimit(is_searching=False)
    for turn in range(1000):
        limit.served(limit.sent(), under_way=3, now=turn / 10)

    assert limit.allowed == 20


def test_the_limit_never_falls_to_nothing() -> None:
    limit = ConcurrencyLimit(limit=2)
    for second in range(200):
        limit.refused(limit.sent(), under_way=1, now=float(second))

    assert limit.allowed == 1


def test_after_an_outage_it_is_soon_where_it_was() -> None:
    limit = ConcurrencyLimit(limit=60, is_searching=False)
    limit.lost()
    limits, _ = served(limit, 60, seconds=2)

    assert limits[0] == 20
    assert limits[-1] >= 55


@pytest.mark.parametrize("throttled", [0.01, 0.05, 0.1, 0.2])
def test_what_is_refused_at_any_load_does_not_hold_it_down(throttled: float) -> None:
    limit = ConcurrencyLimit()
    limits, _ = served(limit, 100, seconds=20, throttled=throttled)

    assert sum(limits[50:]) / len(limits[50:]) >= 60


def test_after_a_bad_day_few_are_refused_again() -> None:
    limit = ConcurrencyLimit()
    served(limit, 50, seconds=20, throttled=0.1)
    served(limit, 50, seconds=10, start=20)
    limits, refused = served(limit, 50, seconds=20, start=30)

    assert sum(limits) / len(limits) >= 0.85 * 50
    assert refused < 0.02


def test_twilios_wish_to_be_left_alone_keeps_it_from_growing() -> None:
    limit = ConcurrencyLimit(limit=50, is_searching=False)
    limit.refused(limit.sent(), under_way=41, now=0.0, retry_after=5.0)
    before, _ = served(limit, 100, seconds=4.5, start=0.1)
    after, _ = served(limit, 100, seconds=2.0, start=5.1)

    assert set(before) == {40}
    assert after[-1] > 50


@pytest.mark.parametrize(("concurrent", "allowed"), [(30, 101), (101, 100), (None, 100)])
def test_a_refusal_at_far_less_than_the_account_has_borne_is_no_doubt(
    concurrent: int | None, allowed: int
) -> None:
    limit = UnsteadyLimit(limit=100, ceiling=200, is_searching=False)
    for _ in range(50):
        limit.served(limit.sent(), under_way=100, now=1.0)
    limit.refused(limit.sent(), under_way=101, now=1.1, concurrent=concurrent)

    assert limit.allowed == allowed


def test_a_twilio_that_tells_nonsense_of_its_load_is_not_believed_for_long() -> None:
    limit = ConcurrencyLimit(limit=100, is_searching=False)
    for _ in range(50):
        limit.served(limit.sent(), under_way=100, now=1.0)
    for _ in range(40):
        limit.refused(limit.sent(), under_way=101, now=1.1, concurrent=1)

    assert limit.allowed <= 100


def test_few_refusals_may_be_chance_and_many_are_not() -> None:
    baseline = Baseline()
    baseline.learn(refused=5, counted=100)

    assert baseline.share == 0.05
    assert baseline.explains(2, 20)
    assert not baseline.explains(8, 20)
    assert not Baseline().explains(1, 1000)
    assert most_by_chance(MAX_BY_CHANCE, 300) < 150


def test_a_share_that_is_known_from_little_is_trusted_less() -> None:
    assert most_by_chance(0.05, 100, known_from=20) > most_by_chance(0.05, 100, known_from=1000) > 5


def test_what_was_learned_long_ago_is_forgotten() -> None:
    baseline = Baseline()
    baseline.learn(refused=20, counted=100)
    for _ in range(8):
        baseline.learn(refused=0, counted=100)

    assert baseline.share == 0.0


def test_a_ceiling_that_stays_is_met_again_only_after_a_while() -> None:
    """One refusal tells where it is; then as many requests are served as it bears."""
    limit, now = ConcurrencyLimit(), 0.0
    refused = 0
    for _ in range(2000):
        number, under_way = limit.sent(), limit.allowed
        now += 0.005
        if under_way > 20:
            limit.refused(number, under_way, now)
            refused += 1
        else:
            limit.served(number, under_way, now)

    assert limit.allowed in (20, 21)
    assert refused < 0.02 * 2000


@pytest.mark.parametrize("share", [0.02, 0.05, 0.1])
def test_refusals_whatever_the_load_do_not_hold_it_down(share: float) -> None:
    luck, limit, now = random.Random(1), ConcurrencyLimit(), 0.0
    for _ in range(4000):
        number, under_way = limit.sent(), limit.allowed
        now += 0.1 / under_way
        if luck.random() < share:
            limit.refused(number, under_way, now)
        else:
            limit.served(number, under_way, now)

    assert limit.allowed > 90
