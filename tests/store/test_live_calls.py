"""What is remembered of live calls: nothing is done twice, and nothing while the guard may not act."""

from collections.abc import Callable

import pytest

from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.campaigns import Campaign
from callguard.domain.incidents import LiveOutcome
from callguard.domain.live_call import Claim
from callguard.domain.policy import Mode, Policy
from callguard.domain.snapshot import Finding, Rule
from callguard.domain.sources import Source
from callguard.store.live_calls import ATTEMPT_MS, MAX_ATTEMPTS
from tests.calls import call_sid, queued
from tests.conftest import ACCOUNT_SID, Store
from tests.frozen_clock import FrozenClock

FINDING = Finding(Rule.SPIKE, 70.5, 65, "spike_burst", 1_000)
SID = call_sid(1)


@pytest.fixture
def tripped(store: Store, clock: FrozenClock) -> Store:
    """An account that has tripped, and calls that were heard of."""
    policy = Policy()
    store.tracker.observe(ACCOUNT_SID, [queued(n, clock.ms) for n in range(5)], policy, clock.ms, Source.POLL)
    store.incidents.trip(ACCOUNT_SID, 0, FINDING, Mode.ENFORCE, clock.ms)
    return store


def claim(
    store: Store, clock: FrozenClock, sid: str = SID, generation: int = 1, *, unheard: bool = False
) -> Claim:
    return store.live_calls.claim(ACCOUNT_SID, generation, sid, clock.ms, unheard=unheard)


def test_a_call_is_tried_so_often_and_not_twice_at_once(tripped: Store, clock: FrozenClock) -> None:
    claims = []
    for _ in range(MAX_ATTEMPTS + 1):
        claims += [claim(tripped, clock), claim(tripped, clock)]
        clock.ms += ATTEMPT_MS

    assert claims == [
        *(Claim.YOURS, Claim.WAITING) * (MAX_ATTEMPTS - 1),
        *(Claim.LAST, Claim.WAITING),
        *(Claim.KNOWN, Claim.KNOWN),
    ]


def test_what_was_never_processed_does_not_count_as_an_attempt(tripped: Store, clock: FrozenClock) -> None:
    for _ in range(MAX_ATTEMPTS * 3):
        assert claim(tripped, clock) is Claim.YOURS
        tripped.live_calls.put_back(ACCOUNT_SID, SID, spent=False)
    for wanted in (Claim.YOURS, Claim.YOURS, Claim.LAST):
        assert claim(tripped, clock) is wanted
        tripped.live_calls.put_back(ACCOUNT_SID, SID, spent=True)

    assert claim(tripped, clock) is Claim.KNOWN


def paused(store: Store, clock: FrozenClock) -> None:
    store.incidents.pause(ACCOUNT_SID, "a test", clock.ms)


def observing(store: Store, clock: FrozenClock) -> None:
    store.incidents.start_drain(ACCOUNT_SID, 1, "me", Mode.OBSERVE)


def capped(store: Store, clock: FrozenClock) -> None:
    store.incidents.start_drain(ACCOUNT_SID, 1, "me", Mode.ENFORCE)
    store.incidents.finish_drain(ACCOUNT_SID, 1, "me", clock.ms, capped=True)


def closed(store: Store, clock: FrozenClock) -> None:
    store.incidents.rearm(ACCOUNT_SID, 1, "a test", clock.ms, force=True)


def tripped_again(store: Store, clock: FrozenClock) -> None:
    closed(store, clock)
    store.incidents.trip(ACCOUNT_SID, 1, FINDING, Mode.ENFORCE, clock.ms)


@pytest.mark.parametrize("stop", [paused, observing, capped, closed, tripped_again])
def test_the_kill_switch_is_read_with_each_claim(
    tripped: Store, clock: FrozenClock, stop: Callable[[Store, FrozenClock], None]
) -> None:
    assert claim(tripped, clock) is Claim.YOURS
    stop(tripped, clock)

    assert claim(tripped, clock, call_sid(2)) is Claim.STOPPED


def test_the_kill_switch_can_be_undone(tripped: Store, clock: FrozenClock) -> None:
    paused(tripped, clock)
    assert claim(tripped, clock) is Claim.STOPPED

    tripped.incidents.resume(ACCOUNT_SID)

    assert claim(tripped, clock) is Claim.YOURS


def test_calls_of_a_campaign_and_calls_never_heard_of(store: Store, clock: FrozenClock) -> None:
    campaign = Campaign("c1", 1, 0, "", "", clock.ms, clock.ms + 60_000, "me")
    store.campaigns.announce(ACCOUNT_SID, campaign)
    news = [CallEvent(call_sid(7), CallStatus.QUEUED, clock.ms, sender="a")]
    store.tracker.observe(ACCOUNT_SID, news, Policy(), clock.ms, Source.REPORT)
    store.incidents.trip(ACCOUNT_SID, 0, FINDING, Mode.ENFORCE, clock.ms)

    assert claim(store, clock, call_sid(7), unheard=True) is Claim.ANNOUNCED
    assert claim(store, clock, call_sid(8)) is Claim.UNHEARD
    assert claim(store, clock, call_sid(8), unheard=True) is Claim.YOURS


def test_who_is_left_alone_stays_so(tripped: Store, clock: FrozenClock) -> None:
    assert claim(tripped, clock) is Claim.YOURS
    tripped.live_calls.leave_alone(ACCOUNT_SID, [SID, call_sid(2)])
    tripped.live_calls.leave_alone(ACCOUNT_SID, [])
    tripped.live_calls.put_back(ACCOUNT_SID, SID, spent=False)
    tripped_again(tripped, clock)

    assert [claim(tripped, clock, sid, 2) for sid in (SID, call_sid(2))] == [Claim.KNOWN] * 2


@pytest.mark.parametrize("outcome", LiveOutcome)
def test_an_outcome_counts_once_in_its_own_incident(
    tripped: Store, clock: FrozenClock, outcome: LiveOutcome
) -> None:
    claim(tripped, clock)
    for _ in range(2):
        tripped.live_calls.settle(ACCOUNT_SID, 1, SID, outcome)
    tripped.live_calls.settle(ACCOUNT_SID, 1, call_sid(2), None)

    incident = tripped.incidents.current(ACCOUNT_SID)
    assert incident is not None
    assert incident.live == {outcome: 1}
    assert incident.found == incident.remaining == 5
    assert claim(tripped, clock) is claim(tripped, clock, call_sid(2)) is Claim.KNOWN

    tripped_again(tripped, clock)
    tripped.live_calls.settle(ACCOUNT_SID, 1, call_sid(3), outcome)

    (before,) = tripped.incidents.recent(ACCOUNT_SID, 1)
    now = tripped.incidents.current(ACCOUNT_SID)
    assert now is not None
    assert (before.live, now.live) == ({outcome: 2}, {})
    assert tripped.readings.read(ACCOUNT_SID, Policy(), clock.ms).totals[f"live:{outcome.value}"] == 2
