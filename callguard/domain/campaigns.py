"""Announced campaigns: many calls that a person has said will come."""

from dataclasses import dataclass

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
