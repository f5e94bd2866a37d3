"""Which calls an incident is about. All others are left alone."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from callguard.domain.culprits import Sender
from callguard.domain.snapshot import Finding, Rule

SLACK_MS = 2000
"""Milliseconds that clocks may differ, as Twilio gives a creation in whole seconds."""

SHORT_SLACK_MS = 60_000
"""The same for when the list was last short (fewer than `min_backlog` calls), which only our clock tells."""


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
    """Return the scope of a trip: calls since the onset; only from the numbers that carry it, if a few do.

    Only calls that enter the queue show when a runaway began to create them. The other rules see calls dialled, a
    destination called too often or a queue too long, which all begin later. Their scope is the calls since
    Twilio's list was last short (`listed_short_ms`; 0 for never).
    """
    if finding.rule is Rule.MANUAL:
        return EVERY_CALL
    since_ms = finding.onset_ms - SLACK_MS
    if finding.rule is not Rule.SPIKE:
        since_ms = min(since_ms, listed_short_ms - SHORT_SLACK_MS)
    return Scope(max(0, since_ms), carriers)


def widened(scope: Scope, others: Sequence[Sender], burst: float) -> Scope:
    """Return the scope with those of the other numbers that spike by now, each by `burst` calls or more.

    A script may go from one number to the next. Where the rest of them would still be a spike together, it is
    every number from now on.
    """
    if not scope.senders:
        return scope
    spiking = {sender.sender for sender in others if sender.level >= burst}
    rest = sum(sender.level for sender in others if sender.sender not in spiking)
    return replace(scope, senders=frozenset() if rest >= burst else scope.senders | spiking)


def unbounded(scope: Scope, listed_short_ms: int) -> Scope:
    """Return the scope once the calls left alone exceed `max_backlog`: all since the last short list."""
    return Scope(max(0, min(scope.since_ms, listed_short_ms - SHORT_SLACK_MS)))
