"""Settings that take each other's effect away."""

import pytest

from callguard.domain.policy import Policy, contradictions


@pytest.mark.parametrize(
    ("policy", "says"),
    [
        (Policy(), None),
        (Policy(max_cancellations=1), "max_cancellations = 1 is below min_backlog = 25"),
        (Policy(min_backlog=5000, max_backlog=10), "max_backlog = 10 is below min_backlog = 5,000"),
        (Policy(max_drain_seconds=20), "max_drain_seconds = 20 at cps = 1 is fewer calls than min_backlog = 25"),
    ],
)
def test_what_contradicts_itself_is_said(policy: Policy, says: str | None) -> None:
    said = list(contradictions(policy))

    assert any(says in text for text in said) if says else said == []
