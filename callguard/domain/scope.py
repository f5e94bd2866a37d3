"""Which calls an incident is about. All others are left alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from callguard.domain.accounts import Finding, Rule
from callguard.domain.culprits import Sender

SLACK_MS = 2000
"""Clocks differ, and Twilio tells a creation in whole seconds."""


@dataclass(frozen=True, slots=True)
class Scope:
    """The calls that an incident may cancel: created since a moment, and from some numbers.

    Attributes:
        since_ms: calls created before it are out of scope; milliseconds of Unix time, 0 for no cut-off.
        senders: keyed hashes of the From numbers in scope (`CallEvent.sender`); empty: every number.
    """

    since_ms: int = 0
    senders: frozenset[str] = frozenset()

    def takes(self, created_ms: int, sender: str) -> bool:
        """Return whether a call from `sender` that was created at `created_ms` is in scope."""
        return created_ms >= self.since_ms and (not self.senders or sender in self.senders)


EVERY_CALL = Scope()


def scope_of(finding: Finding, carriers: frozenset[str], listed_short_ms: int) -> Scope:
    """Return the scope of a trip: calls since the onset; only from the numbers that carry it, where a few do.

    Only calls that enter the queue tell when a runaway began to create them. What other rules see, calls being
    dialled, a telephone called once too often, a queue too long, begins later: there it is the calls since
    Twilio's list was last short (`listed_short_ms`; 0 for never).
    """
    if finding.rule is Rule.MANUAL:
        return EVERY_CALL
    since_ms = finding.onset_ms if finding.rule is Rule.SPIKE else min(finding.onset_ms, listed_short_ms)
    return Scope(max(0, since_ms - SLACK_MS), carriers)


def widened(scope: Scope, spiking: Sequence[Sender], *, is_flood: bool) -> Scope:
    """Return the scope with the numbers that spike by now; with all, where those left alone have become a flood.

    A script may go from one number to the next.
    """
    if not scope.senders or is_flood:
        return replace(scope, senders=frozenset())
    return replace(scope, senders=scope.senders | {sender.sender for sender in spiking})
