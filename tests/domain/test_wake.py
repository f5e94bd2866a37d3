"""What leaves the queue behind a campaign."""

from dataclasses import replace

import pytest

from callguard.domain.campaigns import Wake
from callguard.domain.policy import Policy
from callguard.domain.rules import crossed
from callguard.domain.snapshot import Snapshot

NOW = 1_000_000_000
POLICY = Policy(cps=1, max_backlog=100, max_drain_seconds=1000)


def campaign_of(seconds: int, at_ms: int = NOW) -> Wake:
    """A campaign that was dialled for a while, one call a second, up to `at_ms`."""
    wake = Wake()
    for second in range(seconds, -1, -1):
        wake = wake.after(at_ms - second * 1000, 1.0, announced=True)
    return wake


def ordinary(wake: Wake, seconds: int, from_ms: int = NOW) -> Wake:
    for second in range(1, seconds + 1):
        wake = wake.after(from_ms + second * 1000, 1.0, announced=False)
    return wake


def test_without_a_campaign_there_is_no_wake() -> None:
    assert not Wake().covers(NOW)
    assert ordinary(Wake(), 10) == Wake()


def test_what_follows_a_campaign_without_a_gap_is_in_its_wake() -> None:
    assert ordinary(campaign_of(600), 300).covers(NOW + 300_000)


def test_a_pause_of_the_dialler_ends_it() -> None:
    assert not ordinary(campaign_of(600), 10, NOW + 20_000).covers(NOW + 30_000)


@pytest.mark.parametrize(("lasted", "covered", "not_covered"), [(600, 600, 601), (10, 60, 61)])
def test_it_is_no_longer_than_the_campaign_was(lasted: int, covered: int, not_covered: int) -> None:
    """Else a runaway behind a campaign would never be seen by callbacks alone."""
    wake = ordinary(campaign_of(lasted), covered)

    assert wake.covers(NOW + covered * 1000)
    assert not wake.covers(NOW + not_covered * 1000)


def test_the_ceilings_are_higher_behind_a_campaign() -> None:
    """An hour of ordinary calls waits behind 5,000 announced ones at 1 CPS."""
    piled_up = Snapshot(
        now_ms=NOW, cancellable=150, announced=3000, counted_ms=NOW + 3_150_000, shallow_ms=NOW - 9
    )

    assert crossed(piled_up, POLICY) is None
    assert crossed(replace(piled_up, cancellable=201), POLICY) is not None
    assert crossed(replace(piled_up, announced=0, campaign_ms=NOW), POLICY) is None
    assert crossed(replace(piled_up, announced=0), POLICY) is not None
