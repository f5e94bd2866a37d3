"""What `callguard cancel` has found, before it asks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from callguard.cli.cancel.options import shown
from callguard.cli.cancel.other_queued import Senders
from callguard.config.accounts import Account
from callguard.domain.addresses import is_emergency
from callguard.domain.calls import ListedCall
from callguard.domain.wording import figure, span


@dataclass(frozen=True, slots=True)
class SearchReport:
    """The calls that match, and what is needed to judge them.

    Attributes:
        account: whose they are.
        calls: all that match.
        listed: how many calls Twilio has listed.
        now_ms: when.
        cps: at how many calls per second Twilio dials.
        cps_is_assumed: `cps` was neither configured nor given.
        price: US dollars for a call.
    """

    account: Account
    calls: Sequence[ListedCall]
    listed: int
    now_ms: int
    cps: float
    cps_is_assumed: bool
    price: float

    @property
    def at_stake(self) -> int:
        """How many of the calls are to be cancelled."""
        return sum(not self._is_protected(call) for call in self.calls)

    def rows(self, *, shows_numbers: bool) -> Iterator[tuple[str, str]]:
        """Yield labels and texts."""
        yield "account", self.account.sid
        if not self.calls:
            yield "found", "nothing that matches is queued"
            return
        yield "found", f"{len(self.calls):,} queued calls match, of {self.listed:,} that Twilio listed"
        yield from self._senders(shows_numbers=shows_numbers)
        created = [call.created_ms for call in self.calls]
        yield "oldest", self._moment(min(created))
        yield "newest", self._moment(max(created))
        yield from self._protected()
        if self.at_stake:
            yield from self._cost()

    def _senders(self, *, shows_numbers: bool) -> Iterator[tuple[str, str]]:
        senders, label = Senders(self.calls, shows_numbers=shows_numbers), "from"
        for name, count in senders:
            yield label, f"{name:<16} {count:>7,} {_calls(count)}"
            label = ""
        if senders.unnamed:
            rest = senders.unnamed_calls
            yield "", f"{f'{senders.unnamed:,} more':<16} {rest:>7,} {_calls(rest)}"
        if senders.has_alike:
            yield "", "#1, #2 are different numbers: --show-numbers shows them in full"

    def _moment(self, created_ms: int) -> str:
        return f"{shown(created_ms)}, {span(max(0, self.now_ms - created_ms) / 1000)} ago"

    def _protected(self) -> Iterator[tuple[str, str]]:
        protected = [call for call in self.calls if self._is_protected(call)]
        emergency = sum(map(_is_urgent, protected))
        unknown = sum(not (call.from_number and call.to_number) for call in protected if not _is_urgent(call))
        if emergency:
            yield "protected", f"{emergency:,}: to emergency numbers, which are never cancelled"
        if listed := len(protected) - unknown - emergency:
            yield "protected", f"{listed:,}: From or To is on `never_cancel`"
        if unknown:
            yield "protected", f"{unknown:,}: From or To is unknown, and may be on `never_cancel`"
        if not protected and self.account.policy.never_cancel:
            yield "protected", "0: none of them is on `never_cancel`"

    def _cost(self) -> Iterator[tuple[str, str]]:
        dollars = self.at_stake * self.price
        yield "at stake", f"about ${dollars:,.2f}: {self.at_stake:,} {_calls(self.at_stake)}"
        yield "", f"at ${self.price:g} each, if all are answered (an estimate: --price)"
        seconds = len(self.calls) / self.cps
        rate = f"{figure(self.cps)} a second{' (assumed: set --cps)' if self.cps_is_assumed else ''}"
        yield "dialler", f"{rate}: all would be dialled within {span(seconds)}"

    def _is_protected(self, call: ListedCall) -> bool:
        return self.account.hasher.is_protected(call.from_number, call.to_number)


def _is_urgent(call: ListedCall) -> bool:
    return is_emergency(call.to_number)


def _calls(count: int) -> str:
    return "call" if count == 1 else "calls"
