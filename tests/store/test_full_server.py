"""A server that is full takes nothing new. A person must still be able to stop the guard, and to see it."""

from collections.abc import Iterator
from typing import Any

import pytest
import redis

from callguard.domain.campaigns import Campaign
from callguard.domain.policy import Mode, Policy
from callguard.domain.snapshot import Finding, Rule, State
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome
from callguard.errors import StoreUnavailable
from tests.calls import call_sid, queued
from tests.conftest import ACCOUNT_SID as SID
from tests.conftest import Store
from tests.frozen_clock import FrozenClock

POLICY = Policy(cps=5, hold_queues=True)
FINDING = Finding(Rule.SPIKE, 70.5, 65, "spike_burst", 1_000)


@pytest.fixture
def full(redis_url: str, store: Store, clock: FrozenClock) -> Iterator[Store]:
    """A drain under way, with a campaign beside it, on a server that has just become full."""
    store.campaigns.announce(SID, Campaign("c1", 5, 0, "aaa", "", clock.ms, clock.ms + 3_600_000, "a test"))
    store.tracker.observe(SID, [queued(n, clock.ms) for n in range(10)], POLICY, clock.ms, Source.POLL)
    store.incidents.trip(SID, 0, FINDING, Mode.ENFORCE, clock.ms)
    store.incidents.start_drain(SID, 1, "me", Mode.ENFORCE)
    with redis.Redis.from_url(redis_url, decode_responses=True) as raw:
        for number in range(200):
            raw.set(f"filler:{number}", "x" * 10_000)
        used: Any = raw.info("memory")
        raw.config_set("maxmemory", used["used_memory"] - 500_000)
        with pytest.raises(redis.exceptions.OutOfMemoryError):
            raw.set("filler:more", "x")
        yield store
        raw.config_set("maxmemory", 0)
        raw.delete(*(f"filler:{number}" for number in range(200)))


def test_it_can_be_paused_and_resumed(full: Store, clock: FrozenClock) -> None:
    assert full.incidents.settle_all(SID, 1, [(call_sid(1), Outcome.CANCELLED)], clock.ms)
    full.incidents.pause(SID, "a test", clock.ms, by="anna@web1", until_ms=clock.ms + 1000)

    assert not full.incidents.settle_all(SID, 1, [(call_sid(2), Outcome.CANCELLED)], clock.ms)
    assert full.tracker.snapshot(SID, clock.ms).pause.reason == "a test"
    assert full.incidents.resume(SID, clock.ms)
    assert full.incidents.settle_all(SID, 1, (), clock.ms)


def test_an_incident_can_be_reset(full: Store, clock: FrozenClock) -> None:
    assert full.incidents.rearm(SID, 1, "by hand", clock.ms, force=True, by="anna@web1")

    assert not full.incidents.settle_all(SID, 1, (), clock.ms)
    assert full.incidents.recent(SID, 1)[0].closed_by == "anna@web1"


def test_a_capped_drain_can_be_let_go_on(full: Store, clock: FrozenClock) -> None:
    assert full.incidents.finish_drain(SID, 1, "me", clock.ms, capped=True)

    assert full.incidents.continue_drain(SID, 1, clock.ms, by="anna@web1", reason="a test")
    incident = full.incidents.current(SID)
    assert incident is not None
    assert (incident.continued.by, incident.continued.reason) == ("anna@web1", "a test")


def test_campaigns_can_be_announced_ended_and_released(full: Store, clock: FrozenClock) -> None:
    full.campaigns.announce(SID, Campaign("c2", 5, 0, "", "", clock.ms, clock.ms + 3_600_000, "a test"))
    ended = full.campaigns.end_campaign(SID, "c1", clock.ms)
    full.campaigns.release(SID, "c1", [], clock.ms)

    assert ended is not None
    assert [known.id for known in full.campaigns.campaigns(SID) if not known.ended_ms] == ["c2"]


def test_everything_can_be_looked_at(full: Store, clock: FrozenClock) -> None:
    assert full.tracker.snapshot(SID, clock.ms).state is State.DRAINING
    assert len(full.tracker.mirrored(SID)) == 10
    assert full.readings.read(SID, POLICY, clock.ms).totals["trips:spike"] == 1
    assert full.incidents.current(SID) is not None
    assert full.incidents.recent(SID, 5) == []
    assert [known.id for known in full.campaigns.campaigns(SID)] == ["c1"]
    assert full.heartbeats.ages(clock.ms) == {}


def test_it_says_that_it_is_full(full: Store, clock: FrozenClock) -> None:
    with pytest.raises(StoreUnavailable, match="maxmemory"):
        full.tracker.suspect(SID, FINDING, clock.ms)
