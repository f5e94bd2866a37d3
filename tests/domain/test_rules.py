"""The rules, as a table of what is known and what follows."""

from dataclasses import replace

import pytest

from callguard.domain.policy import Mode, Policy, Unqueued
from callguard.domain.rates import LeakyBucket
from callguard.domain.rules import Verdict, crossed, decide, is_quiet
from callguard.domain.snapshot import SUSPICION_MS, Finding, Rule, Snapshot, State, Suspicion

NOW = 1_000_000_000
POLICY = Policy(
    cps=5, spike_rate=1, spike_burst=10, initiated_rate=1, initiated_burst=10, min_backlog=20, max_backlog=100,
    max_drain_seconds=60, quiet_seconds=30,
)  # fmt: skip
CALM = Snapshot(now_ms=NOW, cancellable=20)
FULL = LeakyBucket(10, NOW, NOW - 3000)
SUSPECTED = Suspicion(Finding(Rule.INITIATED, 11, 10, "initiated_burst", NOW - 9000), NOW - SUSPICION_MS)

ASKED = replace(SUSPECTED, since_ms=NOW - 100)


@pytest.mark.parametrize(
    ("snapshot", "verdict", "rule"),
    [
        pytest.param(CALM, Verdict.STAND_BY, None, id="calm"),
        pytest.param(
            replace(CALM, queued=FULL, cancellable=19, suspicion=ASKED, listed_short_ms=NOW - 101),
            Verdict.ASK_TWILIO, Rule.SPIKE, id="Twilio is being asked",
        ),
        pytest.param(
            replace(CALM, queued=FULL, cancellable=19, suspicion=ASKED, listed_short_ms=NOW - 100),
            Verdict.TRIP_UNQUEUED, Rule.SPIKE, id="Twilio's list shows too few",
        ),
        pytest.param(
            replace(CALM, cancellable=0, suspicion=replace(ASKED, since_ms=NOW - 1500)), Verdict.TRIP_UNQUEUED,
            Rule.INITIATED, id="Twilio's list does not come",
        ),
        pytest.param(
            replace(CALM, cancellable=0, suspicion=replace(SUSPECTED, since_ms=NOW - 60_000)),
            Verdict.TRIP_UNQUEUED, Rule.INITIATED, id="a suspicion that nobody took up is told late",
        ),
        pytest.param(
            replace(CALM, cancellable=0, suspicion=replace(SUSPECTED, since_ms=NOW - 300_001)),
            Verdict.STAND_BY, None, id="a suspicion is forgotten",
        ),
        pytest.param(
            replace(CALM, queued=FULL, cancellable=0, suspicion=replace(SUSPECTED, since_ms=NOW - 60_000),
                    listed_short_ms=NOW - 50_000), Verdict.ASK_TWILIO, Rule.SPIKE, id="a new crossing asks anew",
        ),
        pytest.param(
            replace(CALM, state=State.TRIPPED, unqueued=True, cancellable=20), Verdict.DRAIN, None,
            id="a queue comes up",
        ),
        pytest.param(
            replace(CALM, state=State.TRIPPED, unqueued=True, cancellable=19), Verdict.STAND_BY, None,
            id="still no queue",
        ),
        pytest.param(
            replace(CALM, state=State.TRIPPED, unqueued=True, paused=True), Verdict.STAND_BY, None,
            id="a queue comes up while paused",
        ),
        pytest.param(replace(CALM, queued=FULL), Verdict.TRIP, Rule.SPIKE, id="spike"),
        pytest.param(
            replace(CALM, queued=LeakyBucket(10, NOW - 1, NOW)), Verdict.STAND_BY, None, id="a spike leaks away"
        ),
        pytest.param(replace(CALM, initiated=FULL), Verdict.TRIP, Rule.INITIATED, id="initiated"),
        pytest.param(
            replace(CALM, queued=FULL, cancellable=19), Verdict.ASK_TWILIO, Rule.SPIKE, id="too few queued"
        ),
        pytest.param(
            replace(CALM, queued=FULL, cancellable=0, protected=500), Verdict.ASK_TWILIO, Rule.SPIKE,
            id="only calls that are never cancelled",
        ),
        pytest.param(replace(CALM, cancellable=100), Verdict.STAND_BY, None, id="backlog at its ceiling"),
        pytest.param(replace(CALM, cancellable=101), Verdict.TRIP, Rule.BACKLOG, id="backlog over its ceiling"),
        pytest.param(
            replace(CALM, cancellable=30, counted_ms=NOW + 500_000), Verdict.STAND_BY, None,
            id="slots of cancelled calls are no backlog",
        ),
        pytest.param(replace(CALM, suspicion=SUSPECTED), Verdict.TRIP, Rule.INITIATED, id="suspicion, now proven"),
        pytest.param(
            replace(CALM, suspicion=replace(SUSPECTED, since_ms=NOW - SUSPICION_MS - 1)), Verdict.STAND_BY, None,
            id="a suspicion grows old",
        ),
        pytest.param(replace(CALM, queued=FULL, paused=True), Verdict.STAND_BY, None, id="paused"),
        pytest.param(replace(CALM, queued=FULL, state=State.DRAINING), Verdict.STAND_BY, None, id="draining"),
        pytest.param(replace(CALM, queued=FULL, state=State.COOLING), Verdict.STAND_BY, None, id="cooling"),
    ],
)  # fmt: skip
def test_the_decision(snapshot: Snapshot, verdict: Verdict, rule: Rule | None) -> None:
    decision = decide(snapshot, POLICY)

    assert decision.verdict is verdict
    assert (decision.finding.rule if decision.finding else None) is rule


@pytest.mark.parametrize(
    ("unqueued", "waited_ms", "verdict"),
    [
        (Unqueued.PAGE, 1499, Verdict.ASK_TWILIO),
        (Unqueued.PAGE, 1500, Verdict.TRIP_UNQUEUED),
        (Unqueued.BLOCK, 499, Verdict.ASK_TWILIO),
        (Unqueued.BLOCK, 500, Verdict.TRIP_UNQUEUED),
        (Unqueued.IGNORE, 14_000, Verdict.ASK_TWILIO),
    ],
)
def test_how_long_twilio_is_waited_for(unqueued: Unqueued, waited_ms: int, verdict: Verdict) -> None:
    snapshot = replace(CALM, cancellable=0, suspicion=replace(SUSPECTED, since_ms=NOW - waited_ms))

    assert decide(snapshot, replace(POLICY, unqueued=unqueued)).verdict is verdict


def test_a_drain_that_takes_too_long_trips() -> None:
    """At half a call per second, 40 queued calls take 80 seconds: more than the 60 allowed."""
    slow = replace(POLICY, cps=0.5)

    finding = crossed(replace(CALM, cancellable=40, counted_ms=NOW + 80_000), slow)

    assert finding == Finding(Rule.BACKLOG, 80.0, 60, "max_drain_seconds", NOW)


def test_a_finding_carries_its_figures() -> None:
    assert crossed(replace(CALM, queued=FULL), POLICY) == Finding(Rule.SPIKE, 10, 10, "spike_burst", NOW - 3000)


@pytest.mark.parametrize(
    ("state", "cooled_seconds_ago", "queued_lately", "quiet"),
    [
        pytest.param(State.COOLING, 30, 0, True, id="silence"),
        pytest.param(State.COOLING, 30, 30, True, id="ordinary traffic"),
        pytest.param(State.COOLING, 30, 31, False, id="still too fast"),
        pytest.param(State.COOLING, 29, 0, False, id="not long enough"),
        pytest.param(State.DRAINING, 30, 0, False, id="not yet drained"),
    ],
)
def test_when_it_is_quiet(state: State, cooled_seconds_ago: int, queued_lately: int, quiet: bool) -> None:
    snapshot = Snapshot(now_ms=NOW, state=state, cooled_ms=NOW - cooled_seconds_ago * 1000)

    assert is_quiet(snapshot, POLICY, queued_lately) is quiet


@pytest.mark.parametrize(
    ("snapshot", "mode", "shown"),
    [
        (CALM, Mode.ENFORCE, State.ARMED),
        (CALM, Mode.OBSERVE, State.OBSERVE),
        (replace(CALM, state=State.TRIPPED), Mode.OBSERVE, State.TRIPPED),
        (replace(CALM, state=State.DRAINING, paused=True), Mode.ENFORCE, State.PAUSED),
    ],
)
def test_the_state_that_is_shown(snapshot: Snapshot, mode: Mode, shown: State) -> None:
    assert snapshot.reported_state(replace(POLICY, mode=mode)) is shown
