"""Whole sweeps on a virtual clock, at Twilios of many kinds: good days, bad days, and accounts that are shared."""

import pytest

from callguard.domain.concurrency import ConcurrencyLimit
from tests.domain.model_twilio import World, swept

HALF = 0.5

LATENCIES = {0.02: 1500, 0.1: 2000, 0.5: 2000, 2.0: 2000}
"""With so many calls, so that finding the ceiling is not the most of it."""


# The more of them, the longer it takes: other luck, and greater ceilings, are for the long run.
OTHERS = [pytest.param(seed, marks=pytest.mark.full) for seed in (2, 3)]
GREAT = [pytest.param(ceiling, marks=pytest.mark.full) for ceiling in (100,)]


def changing(now: float) -> float:
    """Leave now 15, now 95 of 100 to us, and change every two seconds."""
    return 85.0 if int(now / 2) % 2 == 0 else 5.0


def steady(_now: float) -> float:
    """Keep half of 100 busy."""
    return 50.0


def room(latency: float) -> int:
    """Return the ceiling that the sweep of so many calls has time to find."""
    return 50 if latency in (0.02, 2.0) else 100


@pytest.mark.parametrize("seed", [1, *OTHERS])
@pytest.mark.parametrize("refusal", [0.003, 0.05, None], ids=["429 at once", "429 sooner", "429 as late as all"])
@pytest.mark.parametrize(("throttled", "failed"), [(0.05, 0.1), (0.01, 0.3), (0.2, 0.3)])
def test_a_bad_day_loses_no_race(throttled: float, failed: float, refusal: float | None, seed: int) -> None:
    twilio = swept(World(throttled=throttled, failed=failed, refusal=refusal, seed=seed), 2000, 60)

    assert twilio.use >= HALF
    assert twilio.dialled <= 60
    assert twilio.left < 20  # what has failed too often is for the next run


@pytest.mark.parametrize("tells", [True, False])
@pytest.mark.parametrize("others", [changing, steady])
@pytest.mark.parametrize("seed", [1, *OTHERS])
def test_what_others_leave_is_used(others: object, seed: int, tells: bool) -> None:
    assert callable(others)
    twilio = swept(World(others=others, seed=seed, tells=tells), 3000, 60)

    assert twilio.use >= HALF
    assert twilio.dialled <= 60
    assert twilio.left == 0


@pytest.mark.parametrize("latency", LATENCIES)
@pytest.mark.parametrize(("throttled", "failed"), [(0.0, 0.0), (0.02, 0.1), (0.1, 0.2)])
def test_far_and_near_twilios(latency: float, throttled: float, failed: float) -> None:
    world = World(
        latency=latency, jitter=0.5, refusal=latency / 3, ceiling=room(latency), throttled=throttled, failed=failed
    )
    twilio = swept(world, LATENCIES[latency], 200)

    assert twilio.use >= HALF


@pytest.mark.parametrize("ceiling", [5, 20, 50, *GREAT])
@pytest.mark.parametrize("refusal", [0.003, 0.05])
def test_a_good_day_is_used_to_the_full_and_few_are_refused(ceiling: int, refusal: float) -> None:
    limit = ConcurrencyLimit()
    swept(World(ceiling=ceiling, refusal=refusal), 10 * ceiling * 10, 10, limit)
    later = swept(World(ceiling=ceiling, refusal=refusal, seed=2), 5 * ceiling * 10, 60, limit)

    assert later.use >= 0.85
    assert later.throttled < 0.02 or ceiling < 10


def test_oldest_first_also_on_a_bad_day() -> None:
    twilio = swept(World(throttled=0.05), 1000, 60)

    # No call is attempted before one that is older by more than the requests under way at once.
    assert all(place <= turn + ConcurrencyLimit().ceiling for turn, place in enumerate(twilio.order))
    assert sum(twilio.order[:300]) < sum(twilio.order[300:600]) < sum(twilio.order[600:900])


def test_a_wait_that_a_random_refusal_asks_for_is_for_its_call_alone() -> None:
    twilio = swept(World(throttled=0.05, failed=0.1, retry_after=2.0), 2000, 60)

    assert twilio.dialled <= 60
    assert twilio.left == 0
    assert twilio.ended_at < 15


@pytest.mark.parametrize("retry_after", [None, 3.0])
def test_where_others_use_all_there_is_it_asks_seldom(retry_after: float | None) -> None:
    def all_for_a_while(now: float) -> float:
        return 100.0 if now < 20 else 0.0

    twilio = swept(World(others=all_for_a_while, retry_after=retry_after, cps=0.1), 1000, 60)

    assert twilio.left == 0
    assert twilio.refused < 200
    assert twilio.ended_at < 35


def test_a_refused_call_is_not_asked_for_before_its_time() -> None:
    twilio = swept(World(throttled=0.2, retry_after=1.0, cps=0.01), 50, 60)

    assert len(twilio.order) - 50 <= twilio.refused
    assert twilio.ended_at > 1.0


def test_failures_that_come_sooner_than_what_is_served_are_no_outage() -> None:
    limit = ConcurrencyLimit(limit=80, is_searching=False)
    twilio = swept(World(failed=0.3, failure=0.005, latency=2.0, cps=0.5), 600, 120, limit)

    assert twilio.use >= HALF
