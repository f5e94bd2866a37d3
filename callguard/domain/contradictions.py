"""Settings that take each other's effect away: allowed, and said."""

from collections.abc import Iterator

from callguard.domain.policy import Policy
from callguard.domain.wording import figure


def contradictions(policy: Policy) -> Iterator[str]:
    """Yield in words what a policy's keys make of each other, the gravest first."""
    least, cps = policy.min_backlog, policy.cps
    if policy.max_cancellations < least:
        yield (
            f"max_cancellations = {policy.max_cancellations:,} is below min_backlog = {least:,}: each incident "
            "stops before its backlog is cancelled, and waits for a person"
        )
    if policy.max_backlog < least:
        yield (
            f"max_backlog = {policy.max_backlog:,} is below min_backlog = {least:,}: it cancels nothing before "
            f"{least:,} calls are queued"
        )
    if policy.max_drain_seconds * cps < least:
        yield (
            f"max_drain_seconds = {figure(policy.max_drain_seconds)} at cps = {figure(cps)} is fewer calls than "
            f"min_backlog = {least:,}: it cancels nothing before {least:,} calls are queued"
        )
