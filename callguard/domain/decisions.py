"""What people have decided for an account, and how two records of it are merged."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

QUEUED_AT_MOST_MS = 25 * 3_600_000
"""Milliseconds after which an ended campaign can be forgotten: no call is queued for longer."""


@dataclass(frozen=True, slots=True)
class Announced:
    """What is kept of an announced campaign.

    Attributes:
        record: the store's text.
        calls: how many calls it may take; 0 once a person has made its calls ordinary ones.
        over_ms: when it ends or has ended.
    """

    record: str
    sender: str
    calls: int
    starts_ms: int
    over_ms: int
    has_ended: bool

    @property
    def is_released(self) -> bool:
        """Whether a person has made its calls ordinary ones."""
        return not self.calls


@dataclass(frozen=True, slots=True)
class Decided:
    """What was decided, as the store holds it or a process remembers it.

    Decisions are numbered by their time in milliseconds of Unix time: of two records the later decision counts.

    Attributes:
        epoch: names the account's history; empty where a store knows of none, since it is fresh or was emptied.
        number: of the latest decision.
        said: the number of the latest pause, resume or reset.
        hold: what it has left, as fields of the store: pause, doubt, the last generation that was reset.
        campaigns: those that matter still, by id.
        released_ms: when a person last made the calls of all campaigns ordinary ones, which only older
            versions did; 0 for never.
        generation: counts the trips.
        losses: how often the store has lost what it held.
    """

    epoch: str = ""
    number: int = 0
    said: int = 0
    hold: Mapping[str, str] = field(default_factory=dict)
    campaigns: Mapping[str, Announced] = field(default_factory=dict)
    released_ms: int = 0
    generation: int = 0
    losses: int = 0

    def lacks(self, known: "Decided") -> bool:
        """Return whether decisions that `known` holds are missing here."""
        whole = merged(known, self)
        return (whole.said, whole.released_ms, _ended(whole)) != (self.said, self.released_ms, _ended(self))

    def as_of(self, now_ms: int) -> "Decided":
        """Return it without the campaigns that no longer matter."""
        kept = {name: c for name, c in self.campaigns.items() if c.over_ms > now_ms - QUEUED_AT_MOST_MS}
        return replace(self, campaigns=kept)


def merged(known: Decided, held: Decided) -> Decided:
    """Merge two records: nothing that a person has decided is lost, and the later decision counts.

    Of two equal ones, `held` is kept.
    """
    newer = known if known.said > held.said else held
    campaigns = {**known.campaigns, **held.campaigns}
    campaigns |= {name: c for name, c in known.campaigns.items() if _says_more(c, held.campaigns.get(name))}
    return Decided(
        epoch=held.epoch or known.epoch,
        number=max(known.number, held.number),
        said=newer.said,
        hold=newer.hold,
        campaigns=campaigns,
        released_ms=max(known.released_ms, held.released_ms),
        generation=max(known.generation, held.generation),
        losses=max(known.losses, held.losses),
    )


def _says_more(known: Announced, held: Announced | None) -> bool:
    """Return whether `known` is further than `held`: a campaign ends once, and is released once."""
    return known.is_released or (known.has_ended and not (held is not None and held.is_released))


def _ended(decided: Decided) -> dict[str, tuple[bool, bool]]:
    return {name: (campaign.has_ended, campaign.is_released) for name, campaign in decided.campaigns.items()}


@dataclass(frozen=True, slots=True)
class StateLost:
    """A loss of what the store held of an account, which was noticed and repaired as far as possible.

    Attributes:
        account_sid: whose state it was.
        was_emptied: nothing was left; else it lacked the latest decisions.
        is_unknown: no record of the decisions is left, so the guard observes until a person decides.
        doubt: why they are not known; empty if they are.
        restored: what holds now, in words.
        at_ms: when it was noticed.
    """

    account_sid: str
    was_emptied: bool
    is_unknown: bool
    doubt: str
    restored: str
    at_ms: int
