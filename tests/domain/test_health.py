"""Whether the guard as a whole works, and what is said if it does not."""

import pytest

from callguard.domain.health import Watched, report, troubles
from callguard.domain.policy import Mode, Policy
from callguard.domain.snapshot import Snapshot, State

NOW = 1_790_000_000_000
SID, OTHER = "AC" + "a" * 32, "AC" + "b" * 32
WELL = Snapshot(now_ms=NOW, polled_ms=NOW - 5_000)
ALIVE = {"watcher": 0.5, "cancel-worker": 3.0}


def kinds(snapshot: Snapshot, policy: Policy | None = None, beats: dict[str, float] | None = None) -> list[str]:
    watched = Watched(SID, snapshot, policy or Policy())
    return [one.kind for one in troubles(ALIVE if beats is None else beats, [watched])]


@pytest.mark.parametrize(
    ("changes", "policy", "wanted"),
    [
        ({}, Policy(), []),
        ({"polled_ms": 0}, Policy(), ["polling"]),
        ({"polled_ms": NOW - 61_000}, Policy(), ["polling"]),
        ({"polled_ms": NOW - 200_000}, Policy(poll_seconds=90), []),
        ({"polled_ms": NOW - 300_000}, Policy(poll_seconds=90), ["polling"]),
        ({"paused": True}, Policy(), ["paused"]),
        ({"capped": True, "state": State.COOLING}, Policy(), ["capped"]),
        ({"lost_ms": NOW - 1}, Policy(), ["state_lost"]),
        ({}, Policy(mode=Mode.OBSERVE), ["observing"]),
    ],
)
def test_an_account_is_guarded_or_there_is_a_reason(
    changes: dict[str, object], policy: Policy, wanted: list[str]
) -> None:
    snapshot = Snapshot(**{"now_ms": NOW, "polled_ms": NOW - 5_000, **changes})  # type: ignore[arg-type]

    assert kinds(snapshot, policy) == wanted


@pytest.mark.parametrize("process", ["watcher", "cancel-worker"])
@pytest.mark.parametrize("age", [None, 61.0])
def test_a_silent_process_is_a_reason(process: str, age: float | None) -> None:
    beats = {name: beat for name, beat in {**ALIVE, process: age}.items() if beat is not None}

    assert kinds(WELL, beats=beats) == [process]


def test_what_strangers_read_names_nobody() -> None:
    paused = Snapshot(now_ms=NOW, polled_ms=NOW, paused=True)
    watched = [Watched(SID, paused, Policy()), Watched(OTHER, paused, Policy(), ["Twilio says no"])]
    found = list(troubles({"watcher": 100.0}, watched))

    said = report(found, 3)

    assert said == (
        "watcher: no sign of life for 100 s\n"
        "cancel-worker: never gave a sign of life\n"
        "paused: a person has paused it (2 of 3 accounts)\n"
        "twilio: Twilio does not serve us (1 of 3 accounts)\n"
    )
    assert report([], 3) == "ok\n"
    assert any(SID in trouble.detail for trouble in found)


def test_observing_by_choice_is_said_and_is_in_order() -> None:
    (found,) = troubles(ALIVE, [Watched(SID, WELL, Policy(mode=Mode.OBSERVE))])

    assert found.is_chosen
    assert report([found], 1) == 'observing: mode = "observe": it tells, and cancels nothing (1 of 1 accounts)\n'
