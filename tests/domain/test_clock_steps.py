"""What was noted before the clock was set back lies in the future: nothing waits until it has caught up."""

from dataclasses import replace

import pytest

from callguard.domain.health import Watched, troubles
from callguard.domain.policy import Policy
from callguard.domain.rules import crossed, is_quiet
from callguard.domain.snapshot import Finding, Repeats, Rule, Snapshot, State, Suspicion
from callguard.domain.throughput import Throughput

NOW = 1_790_000_000_000
LATER = NOW + 600_000
"""Ten minutes: so far was the clock set back."""

FINDING = Finding(Rule.INITIATED, 70, 65, "initiated_burst", NOW)


def test_a_guard_arms_again() -> None:
    cooling = Snapshot(now_ms=NOW, state=State.COOLING, cooled_ms=LATER)

    assert is_quiet(cooling, Policy(quiet_seconds=60), 0)
    assert not is_quiet(replace(cooling, cooled_ms=NOW + 5_000), Policy(quiet_seconds=60), 0), "another machine's"


def test_an_old_suspicion_stands_in_nobodys_way() -> None:
    assert Snapshot(now_ms=NOW, suspicion=Suspicion(FINDING, LATER)).suspected is None
    assert Snapshot(now_ms=NOW, suspicion=Suspicion(FINDING, NOW + 2_000)).suspected == FINDING


def test_old_repeats_are_no_finding() -> None:
    assert crossed(Snapshot(now_ms=NOW, repeats=Repeats(50, LATER - 1000, LATER)), Policy()) is None


def test_the_cps_is_learned_anew() -> None:
    assert Throughput(LATER, 100, 5.0, 5.0).after(NOW, 120, is_busy=True) == Throughput(NOW, 120, 5.0, 5.0)


@pytest.mark.parametrize(("polled_ms", "kinds"), [(LATER, ["polling"]), (NOW + 5_000, [])])
def test_a_list_that_was_read_in_the_future_is_not_read(polled_ms: int, kinds: list[str]) -> None:
    watched = Watched("AC1", Snapshot(now_ms=NOW, polled_ms=polled_ms), Policy())

    assert [one.kind for one in troubles({"watcher": 0, "cancel-worker": 0}, [watched])] == kinds
