"""Announced campaigns: many calls that a person has said will come; and the wake of a campaign.

The wake is of ordinary calls that piled up behind a campaign's, and leave the queue as fast as those did. Nothing
that leaves the queue tells such a pile from a runaway, so the rules that look at what leaves do not count it. The
rules that look at what enters, and at the queue itself, go on. `observe_calls.lua` does the same.
"""

from dataclasses import dataclass, field

from callguard.domain.rates import Plateau

MAX_OPEN_CAMPAIGNS = 100

MAX_CAMPAIGN_SECONDS = 7 * 86_400
"""How far ahead a campaign may expire: what is normal for longer belongs into the policy."""


@dataclass(frozen=True, slots=True)
class Campaign:
    """Calls that are normal for an account and a number until a moment.

    Attributes:
        id: short, unique within the account.
        calls: how many calls were announced; more than that count as any other call does.
        came: how many of them have come.
        sender: the keyed hash of the From number (`PartyHasher.sender`); empty for every number.
        sender_shown: the number, masked; empty for every number.
        starts_ms: when it was announced, in milliseconds of Unix time.
        until_ms: when it expires. Calls that came before stay announced until they have left the queue.
        announced_by: who said so.
        ended_ms: when its end was recorded; 0 until then.
    """

    id: str
    calls: int
    came: int
    sender: str
    sender_shown: str
    starts_ms: int
    until_ms: int
    announced_by: str
    ended_ms: int = 0

    @property
    def over_ms(self) -> int:
        """When it ends or has ended, in milliseconds of Unix time."""
        return self.ended_ms or self.until_ms

    def is_open_at(self, now_ms: int) -> bool:
        """Return whether further calls would be taken for this campaign's."""
        return not self.ended_ms and now_ms < self.until_ms and self.came < self.calls


MIN_MS = 60_000


@dataclass(frozen=True, slots=True)
class Wake:
    """The line of all calls that were dialled without a gap since an announced one.

    Attributes:
        line: that line; it begins with an announced call.
        announced_ms: when the last announced call was dialled, in milliseconds of Unix time; 0 for never.
    """

    line: Plateau = field(default_factory=Plateau)
    announced_ms: int = 0

    def after(self, at_ms: int, cps: float, *, announced: bool) -> "Wake":
        """Return the wake after one more call was dialled, at `at_ms`."""
        if not announced and not self.announced_ms:
            return self
        line = self.line.after(at_ms, cps)
        if announced:
            return Wake(line, max(at_ms, self.announced_ms))
        return Wake(line, self.announced_ms) if line.since_ms <= self.announced_ms else Wake()

    def covers(self, at_ms: int) -> bool:
        """Return whether a call that was dialled at `at_ms` may have waited behind a campaign.

        The pile is worked off in less time than it took to grow; so a wake is at most as long as its campaign.
        """
        if not self.announced_ms:
            return False
        return at_ms - self.announced_ms <= max(MIN_MS, self.announced_ms - self.line.since_ms)
