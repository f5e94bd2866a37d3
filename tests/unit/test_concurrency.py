"""How many requests at once: against a ceiling that nobody tells."""

from callguard.domain.concurrency import ConcurrencyLimit


def served(limit: ConcurrencyLimit, ceiling: int, seconds: float, start: float = 0.0) -> tuple[list[int], float]:
    """Play a Twilio that serves `ceiling` requests in 0.1 s each and refuses more at once.

    Returns the limit at each round trip, and the share of the requests that were refused.
    """
    limits, sent, refused = [], 0, 0
    for turn in range(int(seconds * 10)):
        now = start + turn / 10
        allowed = limit.allowed
        for under_way in range(1, allowed + 1):
            sent += 1
            if under_way > ceiling:
                refused += 1
                limit.refused(sent_at=now - 0.1, under_way=under_way, now=now)
            else:
                limit.accepted(allowed, now)
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
    limit.refused(sent_at=1.0, under_way=2, now=1.1)

    assert limit.allowed == 70


def test_refusals_of_one_round_trip_count_once() -> None:
    limit = ConcurrencyLimit(limit=100)
    limit.refused(sent_at=1.0, under_way=10, now=2.0)
    limit.refused(sent_at=1.5, under_way=5, now=2.1)
    after_one = limit.allowed
    limit.refused(sent_at=2.05, under_way=5, now=3.0)

    assert (after_one, limit.allowed) == (70, 49)


def test_it_does_not_grow_while_it_is_not_used() -> None:
    limit = ConcurrencyLimit()
    for turn in range(1000):
        limit.accepted(under_way=3, now=turn / 10)

    assert limit.allowed == 20


def test_the_limit_never_falls_to_nothing() -> None:
    limit = ConcurrencyLimit(limit=2)
    for second in range(20):
        limit.refused(sent_at=second + 0.5, under_way=1, now=second + 1.0)

    assert limit.allowed == 1


def test_after_an_outage_it_is_soon_where_it_was() -> None:
    limit = ConcurrencyLimit(limit=60, is_searching=False)
    limit.lost()
    limits, _ = served(limit, 60, seconds=2)

    assert limits[0] == 20
    assert limits[-1] >= 55
