"""The sentence about the thresholds holds: one call fewer does nothing."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from callguard.domain.accounts import Snapshot, Suspicion
from callguard.domain.consequences import in_words, smallest_batch_cancelled, smallest_batch_told
from callguard.domain.policy import Mode, Policy, Unqueued
from callguard.domain.rates import LeakyBucket
from callguard.domain.rules import Verdict, crossed, decide

NOW = 1_800_000_000_000
POLICIES = st.builds(
    Policy,
    cps=st.integers(1, 60),
    spike_rate=st.integers(1, 20),
    spike_burst=st.integers(1, 3000),
    max_backlog=st.integers(1, 5000),
    max_drain_seconds=st.integers(1, 4000),
    min_backlog=st.integers(1, 500),
)


def after(calls: int, policy: Policy, dialled: int = 0) -> Snapshot:
    """The account a moment after `calls` were created at once, of which some have been dialled."""
    bucket = LeakyBucket(float(calls), NOW - 1, NOW - 1)
    waiting = calls - dialled
    return Snapshot(NOW, cancellable=waiting, queued=bucket, counted_ms=NOW + 1000 * waiting / policy.cps)


@given(POLICIES)
def test_the_smallest_batch_that_people_are_told_of(policy: Policy) -> None:
    calls = smallest_batch_told(policy)

    assert crossed(after(calls, policy), policy) is not None
    assert crossed(after(calls - 1, policy), policy) is None


@given(POLICIES)
def test_the_smallest_batch_that_is_cancelled(policy: Policy) -> None:
    """Twilio has dialled a second's worth of it by then."""
    calls = smallest_batch_cancelled(policy)
    dialled = policy.cps if calls > smallest_batch_told(policy) else 0
    asked = Suspicion(crossed(after(calls, policy), policy), NOW)  # type: ignore[arg-type]

    assert decide(replace(after(calls, policy), cancellable=calls), policy).verdict is Verdict.TRIP
    if calls > smallest_batch_told(policy):
        fewer = replace(after(calls - 1, policy), cancellable=calls - 1 - int(dialled), suspicion=asked)
        assert decide(replace(fewer, polled_ms=NOW), policy).verdict is not Verdict.TRIP


def test_the_default_policy() -> None:
    assert in_words(Policy()) == (
        "A batch of 66 calls at once is cancelled, and so is what waits after 20 calls to one telephone within "
        "10 minutes"
    )


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (Policy(mode=Mode.OBSERVE), "66 calls at once would be cancelled (mode observe: nothing is)"),
        (Policy(cps=30, min_backlog=100), "A batch of 130 calls at once is cancelled"),
        (Policy(cps=30, min_backlog=100), "; from 66 calls on an incident opens and people are told"),
        (Policy(max_backlog=40), "A batch of 41 calls at once is cancelled"),
        (Policy(max_drain_seconds=30), "A batch of 31 calls at once is cancelled"),
        (Policy(repeat_window_seconds=90), "20 calls to one telephone within 90 s"),
    ],
)
def test_what_it_says(policy: Policy, says: str) -> None:
    assert says in in_words(policy)


def test_what_is_ignored_is_not_promised() -> None:
    policy = Policy(cps=30, min_backlog=100, unqueued=Unqueued.IGNORE)

    assert "people are told" not in in_words(policy)
