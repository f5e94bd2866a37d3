"""A drain on bad days: Twilio fails and refuses at random, or other programs use the account's ceiling too."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from callguard.cancel.incident_drain import DrainEnd
from tests.guarded import SID, Guarded, guarded, trip_at

CALLS, CPS = 2000, 30

MAX_DIALLED = CALLS / 4
"""`tests/benchmarks/bad_day.py` has the figure, 60 at most; here Twilio is in the same process, on busy cores."""

pytestmark = pytest.mark.full


@contextmanager
def others_come_and_go(g: Guarded) -> Iterator[None]:
    """Leave now 15, now 95 of 100 requests at once, and change every two seconds."""
    over = threading.Event()

    def come_and_go() -> None:
        others = 85
        while not over.wait(2.0):
            others = 90 - others
            g.twilio.change(SID, others=others)

    thread = threading.Thread(target=come_and_go)
    g.twilio.change(SID, others=85)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def drained(g: Guarded, calls: int, **faults: float) -> int:
    """Queue calls, trip, let faults begin, drain to the end, and return how many were dialled after the trip."""
    g.queue_calls(calls)
    g.trip()
    g.twilio.change_faults(SID, **faults)
    before = g.truth().dialled
    while (end := g.drain.run(g.account, 1, "me")) is DrainEnd.YIELDED:
        continue
    assert end is DrainEnd.FINISHED
    assert g.truth().queued == 0
    return g.truth().dialled - before


@pytest.mark.parametrize("faults", [{}, {"retry_after_seconds": 2.0}], ids=["429", "429 with Retry-After"])
@pytest.mark.parametrize("tells", [True, False])
def test_what_fails_and_is_refused_at_any_load_loses_no_race(
    redis_url: str, tells: bool, faults: dict[str, float]
) -> None:
    with guarded(redis_url, trip_at(cps=CPS), latency=0.1, tells_concurrency=tells) as g:
        assert drained(g, CALLS, error_rate=0.1, throttle_rate=0.05, **faults) <= MAX_DIALLED
        assert g.truth().max_concurrent > 50


@pytest.mark.parametrize("tells", [True, False])
def test_a_ceiling_that_others_use_too_loses_no_race(redis_url: str, tells: bool) -> None:
    with guarded(redis_url, trip_at(cps=CPS), latency=0.1, tells_concurrency=tells) as g, others_come_and_go(g):
        assert drained(g, CALLS) <= MAX_DIALLED
        assert g.truth().max_concurrent > 50
