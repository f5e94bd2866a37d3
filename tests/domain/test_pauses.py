"""When a sweep sends nothing for a while."""

from callguard.cancel.pauses import MAX_SECONDS, OUTAGE, Pauses


def test_a_single_refusal_is_answered_by_fewer_requests_not_by_a_pause() -> None:
    pauses = Pauses()
    pauses.throttled(sent_at=1.0, now=1.1, retry_after=2.0)

    assert not pauses.is_on(1.2)


def test_refusals_with_nothing_served_between_them_make_growing_pauses() -> None:
    pauses, now, lengths = Pauses(), 0.0, []
    for _ in range(12):
        pauses.throttled(sent_at=now, now=now + 0.01)
        began = now = now + 0.01
        while pauses.is_on(now):
            now += 0.01
        lengths.append(now - began)
        now += 0.01

    assert lengths[0] == 0
    assert 0.09 < lengths[1] < 0.15
    assert lengths == sorted(lengths) or max(lengths) > 0.9 * MAX_SECONDS
    assert max(lengths) < 1.3 * MAX_SECONDS


def test_twilios_own_wish_is_heeded_then() -> None:
    pauses = Pauses()
    pauses.throttled(sent_at=0.0, now=0.1, retry_after=3.0)
    pauses.throttled(sent_at=0.2, now=0.3, retry_after=3.0)

    assert pauses.is_on(3.2)
    assert not pauses.is_on(4.0)


def test_an_answer_ends_the_row() -> None:
    pauses = Pauses()
    pauses.throttled(sent_at=0.0, now=0.1)
    pauses.answered()
    pauses.throttled(sent_at=0.2, now=0.3)

    assert not pauses.is_on(0.31)


def test_a_burst_of_refusals_counts_once() -> None:
    pauses = Pauses()
    for turn in range(50):
        pauses.throttled(sent_at=0.0, now=0.1 + turn / 1000)

    assert not pauses.is_on(0.2)


def test_lost_replies_in_a_row_are_an_outage() -> None:
    pauses = Pauses()

    assert not any(pauses.failed(now=1.0, under_way=5) for _ in range(OUTAGE - 1))
    assert pauses.failed(now=1.0, under_way=5)
    assert pauses.is_on(1.1)


def test_while_more_are_under_way_than_were_lost_some_may_yet_be_served() -> None:
    pauses = Pauses()

    assert not any(pauses.failed(now=1.0, under_way=100) for _ in range(99))
    assert pauses.failed(now=1.0, under_way=100)


def test_one_that_is_served_ends_the_outage() -> None:
    pauses = Pauses()
    for _ in range(OUTAGE - 1):
        pauses.failed(now=1.0, under_way=5)
    pauses.answered()

    assert not pauses.failed(now=1.0, under_way=5)
