"""Incidents without a queue: what comes back, what is everyday, and what people read."""

from dataclasses import replace

import pytest

from callguard.domain.incidents import Incident
from callguard.domain.policy import LiveCalls, Mode, Policy, Unqueued
from callguard.domain.scope import Scope
from callguard.domain.snapshot import Finding, Rule
from callguard.domain.tally import Outcome
from callguard.domain.unqueued import DAY_MS, HOUR_MS, everyday, is_back, what_is_dialled, what_is_done

NOW = 1_800_000_000_000
FINDING = Finding(Rule.INITIATED, 130, 65, "initiated_burst", NOW - 5000)
ONE, OTHER = frozenset({"one"}), frozenset({"other"})
CLOSED = Incident(
    "AC-1", "AC", 1, FINDING, Mode.ENFORCE, NOW - HOUR_MS, closed_ms=NOW - HOUR_MS // 2,
    scope=Scope(0, ONE), unqueued=True,
)  # fmt: skip


@pytest.mark.parametrize(
    ("closed", "finding", "senders", "back"),
    [
        pytest.param(CLOSED, FINDING, ONE, True, id="the same number"),
        pytest.param(CLOSED, FINDING, ONE | OTHER, True, id="it and another"),
        pytest.param(CLOSED, FINDING, OTHER, False, id="another number"),
        pytest.param(CLOSED, FINDING, frozenset(), False, id="nobody in particular"),
        pytest.param(replace(CLOSED, scope=Scope(0)), FINDING, frozenset(), True, id="nobody, again"),
        pytest.param(CLOSED, replace(FINDING, rule=Rule.REPEAT), ONE, False, id="another rule"),
        pytest.param(replace(CLOSED, closed_ms=NOW - HOUR_MS - 1), FINDING, ONE, False, id="long ago"),
        pytest.param(replace(CLOSED, closed_ms=0), FINDING, ONE, False, id="still open"),
        pytest.param(replace(CLOSED, unqueued=False), FINDING, ONE, False, id="one with a queue"),
    ],
)
def test_what_has_come_back(closed: Incident, finding: Finding, senders: frozenset[str], back: bool) -> None:
    assert is_back(closed, finding, Scope(0, senders), NOW) is back


def on_days(*days: int) -> list[Incident]:
    return [replace(CLOSED, tripped_ms=NOW - day * DAY_MS, closed_ms=NOW - day * DAY_MS + HOUR_MS) for day in days]


@pytest.mark.parametrize(
    ("incidents", "setting", "wanted"),
    [
        pytest.param(on_days(0, 1, 2), "initiated_burst", 195, id="three days"),
        pytest.param(on_days(0, 0, 0, 1), None, 0, id="two days"),
        pytest.param(on_days(0, 1, 8), None, 0, id="one of them long ago"),
        pytest.param([replace(i, unqueued=False) for i in on_days(0, 1, 2)], None, 0, id="with a queue"),
        pytest.param(
            [replace(CLOSED, tripped_ms=NOW - 6 * HOUR_MS, closed_ms=0, outcomes={Outcome.DIALLED: 43_200})],
            "initiated_rate", 3, id="for six hours at two a second",
        ),
    ],
)  # fmt: skip
def test_what_is_everyday(incidents: list[Incident], setting: str | None, wanted: int) -> None:
    found = everyday(incidents, Policy(), NOW)

    assert (found.setting if found else None) == setting
    if found is not None:
        assert found.wanted == wanted
        assert f"write {setting} = {wanted} in the account's table" in found.words
        assert found.words.startswith("not in a runaway but wrongly configured")


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (Policy(), "The gate is open"),
        (Policy(unqueued=Unqueued.BLOCK), "The gate is shut"),
        (Policy(unqueued=Unqueued.BLOCK, mode=Mode.OBSERVE), "The guard only observes"),
        (Policy(live_calls=LiveCalls.HANGUP), "Live calls are hung up"),
    ],
)
def test_what_people_are_told_of_the_guard(policy: Policy, says: str) -> None:
    told = what_is_done(policy)

    assert says in told
    assert told.endswith("Stop the program that creates the calls, or revoke its API key in Twilio's Console")
    assert ("hung up" in told) is (policy.live_calls is LiveCalls.HANGUP)


def test_what_people_are_told_of_the_calls() -> None:
    repeat = replace(FINDING, rule=Rule.REPEAT)

    assert what_is_dialled(repeat, 45, 2, "+1555***01 (97 %)") == (
        "nothing is queued, so nothing can be cancelled; 22.5 calls a second are being dialled to one "
        "destination, from +1555***01 (97 %)"
    )
    assert "1 calls a second are being dialled" in what_is_dialled(FINDING, 1, 0.2, "")


def test_no_lower_value_is_advised_than_the_one_in_force() -> None:
    found = everyday(on_days(0, 1, 2), Policy(initiated_burst=500), NOW)

    assert found is not None
    assert found.wanted is None
    assert "write" not in found.words
    assert "`callguard backtest --suggest`" in found.words


def test_what_a_person_has_closed_is_not_gone_on_with() -> None:
    assert not is_back(replace(CLOSED, closed_by="ann"), FINDING, Scope(0, ONE), NOW)
