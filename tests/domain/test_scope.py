"""Which calls an incident is about."""

import pytest

from callguard.domain.culprits import Sender, carriers
from callguard.domain.scope import EVERY_CALL, SHORT_SLACK_MS, SLACK_MS, Scope, scope_of, unbounded, widened
from callguard.domain.snapshot import Finding, Rule

ONSET = 1_000_000


def finding(rule: Rule) -> Finding:
    return Finding(rule, 70, 65, "spike_burst", ONSET)


def test_a_spike_at_the_entrance_is_cut_off_at_its_onset() -> None:
    scope = scope_of(finding(Rule.SPIKE), frozenset(), listed_short_ms=ONSET - 50_000)

    assert scope == Scope(ONSET - SLACK_MS)
    assert scope.takes(ONSET, "anybody")
    assert not scope.takes(ONSET - SLACK_MS - 1, "anybody")


@pytest.mark.parametrize("rule", [Rule.INITIATED, Rule.PLATEAU, Rule.REPEAT, Rule.BACKLOG])
def test_what_is_seen_later_is_cut_off_where_the_queue_was_last_short(rule: Rule) -> None:
    """What is dialled now was created long before; its onset says nothing of its creation."""
    assert scope_of(finding(rule), frozenset(), ONSET - 50_000).since_ms == ONSET - 50_000 - SHORT_SLACK_MS
    assert scope_of(finding(rule), frozenset(), ONSET + 90_000).since_ms == ONSET - SLACK_MS
    assert scope_of(finding(rule), frozenset(), 0).since_ms == 0


def test_only_the_numbers_that_carry_it() -> None:
    scope = scope_of(finding(Rule.SPIKE), frozenset("ab"), 0)

    assert scope.takes(ONSET, "a")
    assert not scope.takes(ONSET, "c")


@pytest.mark.parametrize(
    ("levels", "carried_by"),
    [
        pytest.param({"a": 60, "b": 5}, "a", id="one"),
        pytest.param({"a": 130, "b": 130, "c": 20}, "ab", id="two"),
        pytest.param({"a": 20, "b": 5}, "", id="none: all together would not warn"),
        pytest.param(dict.fromkeys("abcdefgh", 20), "", id="none: it takes too many"),
        pytest.param({}, "", id="none: nobody is known"),
    ],
)
def test_who_carries_a_spike(levels: dict[str, float], carried_by: str) -> None:
    """Without them the others would not even warn."""
    senders = [Sender(sender, "+1555***01", level) for sender, level in levels.items()]

    assert carriers(senders, 32.5) == frozenset(carried_by)


def test_a_person_means_every_call() -> None:
    assert scope_of(finding(Rule.MANUAL), frozenset("a"), 0) == EVERY_CALL


def test_numbers_that_spike_later_are_added() -> None:
    narrow = Scope(5, frozenset("a"))

    assert widened(narrow, [Sender("b", "", 80.0), Sender("c", "", 9.0)], 65) == Scope(5, frozenset("ab"))
    assert widened(narrow, [Sender("b", "", 60.0)], 65) == narrow
    assert widened(Scope(5), [Sender("b", "", 80.0)], 65) == Scope(5)


def test_a_script_that_goes_from_number_to_number_opens_it_to_all() -> None:
    others = [Sender(letter, "", 24.0) for letter in "bcd"]

    assert widened(Scope(5, frozenset("a")), others, 65) == Scope(5)


def test_a_flood_opens_it_to_all_since_the_list_was_short() -> None:
    assert unbounded(Scope(500_000, frozenset("a")), 400_000) == Scope(400_000 - SHORT_SLACK_MS)
    assert unbounded(Scope(300_000, frozenset("a")), 400_000) == Scope(300_000)
