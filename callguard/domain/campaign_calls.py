"""Finds out which of the queued announced calls belong to which campaign.

The store does not keep which campaign has taken a call. It follows from the call's From, of whose keyed hash the
first bits are kept, from its time of creation, and from the order in which campaigns take calls: those for its
number first, the earliest announced first, then those for any number. All other calls are called shared.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from callguard.domain.campaigns import Campaign

CLOCKS_MS = 15 * 60_000
"""How far ahead of our clock, in milliseconds, a reported time of creation may be."""

_MARK_DIGITS = 5


@dataclass(frozen=True, slots=True)
class WaitingCall:
    """An announced call that is queued.

    Attributes:
        call_sid: `CA` and 32 hex digits.
        created_ms: when it was created, in milliseconds of Unix time.
        mark: of its From (`mark_of`).
    """

    call_sid: str
    created_ms: int
    mark: int


@dataclass(frozen=True, slots=True)
class CampaignCalls:
    """The SIDs of a campaign's calls.

    Attributes:
        own: calls that this campaign alone can have taken.
        shared: calls that it or another may have taken.
        shared_with: these others, the earliest first; none is known where Redis has lost whose the calls are.
    """

    own: tuple[str, ...] = ()
    shared: tuple[str, ...] = ()
    shared_with: tuple[Campaign, ...] = ()

    def released(self, *, with_shared: bool) -> tuple[str, ...]:
        """Return those that a release takes."""
        return (*self.own, *self.shared) if with_shared else self.own


def mark_of(sender: str) -> int:
    """Return what is kept of a From's keyed hash beside a call; 0 for none, as `lua/parts/scope.lua` has it."""
    try:
        return int(sender[:_MARK_DIGITS], 16)
    except ValueError:
        return 0


def calls_of(campaign_id: str, waiting: Iterable[WaitingCall], campaigns: Sequence[Campaign]) -> CampaignCalls:
    """Return the campaign's calls among all queued ones; `campaigns` are the account's, as they are by now."""
    in_order = sorted(campaigns, key=lambda one: one.starts_ms)
    of_any = [one for one in in_order if not one.sender]
    of_number: dict[int, list[Campaign]] = {}
    for one in in_order:
        if one.sender:
            of_number.setdefault(mark_of(one.sender), []).append(one)
    own, shared, others = [], [], set()
    for call in waiting:
        takers = {taker.id for taker in _takers(call, [*of_number.get(call.mark, ()), *of_any])}
        if takers == {campaign_id}:
            own.append(call.call_sid)
        elif campaign_id in takers or not takers:
            shared.append(call.call_sid)
            others |= takers
    # More calls than have come: the count began anew after a loss, and does not cover earlier calls.
    if len(own) > sum(one.came for one in in_order if one.id == campaign_id):
        own, shared = [], [*own, *shared]
    return CampaignCalls(
        tuple(own), tuple(shared), tuple(one for one in in_order if one.id in others - {campaign_id})
    )


def _takers(call: WaitingCall, asked: Iterable[Campaign]) -> Iterator[Campaign]:
    """Yield the campaigns that may have taken a call, ending at one that must have if no earlier one has.

    `asked`: the campaigns for its number or for any, in the order in which they take calls.
    """
    for one in asked:
        over_ms = min(one.until_ms, one.ended_ms + CLOCKS_MS) if one.ended_ms else one.until_ms
        if one.came and call.created_ms < over_ms:
            yield one
        if not one.ended_ms and one.came < one.calls and one.starts_ms <= call.created_ms < one.until_ms:
            return
