"""Which live calls are part of a runaway, and what is shown of hold queues."""

from dataclasses import replace

import pytest

from callguard.domain.calls import CallStatus
from callguard.domain.campaigns import Campaign
from callguard.domain.hold_queues import MAX_NAME, MAX_SHOWN, HoldQueue, shown_sizes
from callguard.domain.incidents import Incident, LiveOutcome, summary
from callguard.domain.live_call import LiveCall, is_part_of, may_be_announced
from callguard.domain.parties import PartyHasher
from callguard.domain.policy import Mode
from callguard.domain.scope import SLACK_MS, Scope
from callguard.domain.snapshot import Finding, Rule
from callguard.domain.tally import Outcome

MARKS = PartyHasher(["+15550009*"], "a secret")
ONSET = 1_790_000_000_700
FROM, TO = "+15550001111", "+15550002222"
FINDING = Finding(Rule.SPIKE, 70, 65, "spike_burst", ONSET)
SCOPE = Scope(ONSET - SLACK_MS, frozenset({MARKS.sender(FROM)}))
INCIDENT = Incident("AC-1", "AC", 1, FINDING, Mode.ENFORCE, ONSET, scope=SCOPE)
CALL = LiveCall("CA1", CallStatus.IN_PROGRESS, ONSET // 1000 * 1000 + 1000, True, FROM, TO)


def test_a_call_of_the_runaway_is_part_of_it() -> None:
    assert is_part_of(INCIDENT, CALL, MARKS)


@pytest.mark.parametrize(
    "change",
    [
        {"from_number": "+15550003333"},
        {"from_number": ""},
        {"to_number": ""},
        {"to_number": "+15550009123"},
        {"to_number": "911"},
        {"to_number": "+911"},
        {"is_outbound_api": False},
        {"created_ms": 0},
        {"created_ms": ONSET // 1000 * 1000 - 2000},
    ],
)
def test_what_is_not(change: dict[str, object]) -> None:
    assert not is_part_of(INCIDENT, replace(CALL, **change), MARKS)  # type: ignore[arg-type]


def test_whole_seconds_are_read_in_favour_of_the_first_calls() -> None:
    """The first calls of a runaway, which are those that are live, have the second of its onset."""
    assert is_part_of(INCIDENT, replace(CALL, created_ms=ONSET // 1000 * 1000), MARKS)


def test_without_a_cut_off_the_onset_is_one_and_without_either_nobody_is_touched() -> None:
    no_cut_off = replace(INCIDENT, scope=Scope())
    nothing = replace(no_cut_off, finding=replace(FINDING, onset_ms=0))

    assert is_part_of(no_cut_off, CALL, MARKS)
    assert not is_part_of(no_cut_off, replace(CALL, created_ms=ONSET - 3_600_000), MARKS)
    assert not is_part_of(nothing, CALL, MARKS)


@pytest.mark.parametrize(
    ("campaign", "announced"),
    [
        ({}, True),
        ({"sender": MARKS.sender(FROM)}, True),
        ({"sender": "another"}, False),
        ({"until_ms": CALL.created_ms}, True),
        ({"until_ms": CALL.created_ms - SLACK_MS}, False),
        ({"ended_ms": CALL.created_ms - SLACK_MS}, False),
        ({"starts_ms": CALL.created_ms + SLACK_MS}, True),
        ({"starts_ms": CALL.created_ms + SLACK_MS + 1}, False),
    ],
)
def test_what_may_be_announced(campaign: dict[str, object], announced: bool) -> None:
    usual = Campaign("c1", 5, 0, "", "", ONSET - 5000, ONSET + 60_000, "me")

    assert may_be_announced(CALL, [replace(usual, **campaign)], MARKS) is announced  # type: ignore[arg-type]


def test_live_calls_are_counted_apart() -> None:
    incident = replace(
        INCIDENT,
        outcomes={Outcome.CANCELLED: 5},
        live={LiveOutcome.HUNG_UP: 2, LiveOutcome.FAILED: 1},
    )

    assert incident.found == 5
    assert summary(incident) == (
        "5 found: 5 cancelled, 0 remaining; live calls, counted apart: 2 hung up, 1 failed"
    )


def test_names_are_bounded_and_hold_no_number() -> None:
    queues = [
        HoldQueue("QU1", "callers", 3),
        HoldQueue("QU2", "a" * 200, 1),
        HoldQueue("QU3", "line of +15551234567", None),
        HoldQueue("QU4", "new\nline", 2),
        HoldQueue("QU5", "callers", 4),
    ]

    sizes = shown_sizes(queues)

    assert sizes == {"a" * MAX_NAME: 1, "callers": 7, "line of +1555***67": 0, "new?line": 2}


def test_the_longest_queues_are_shown() -> None:
    sizes = shown_sizes(HoldQueue(f"QU{n}", f"queue {n}", n) for n in range(80))

    assert len(sizes) == MAX_SHOWN
    assert min(sizes.values()) == 30
