"""What `callguard cancel` has found, before it asks."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from callguard.cli.cancel_options import shown
from callguard.cli.wording import figure, span
from callguard.config.accounts import Account
from callguard.domain.calls import ListedCall
from callguard.domain.numbers import masked

MOST_SENDERS = 10
_LABEL = 10


@dataclass(frozen=True, slots=True)
class Found:
    """The calls that match, and what is needed to judge them.

    Attributes:
        account: whose they are.
        calls: all that match.
        listed: how many calls Twilio has listed.
        now_ms: when.
        cps: at how many calls per second Twilio dials.
        price: US dollars for a call.
    """

    account: Account
    calls: Sequence[ListedCall]
    listed: int
    now_ms: int
    cps: float
    price: float

    @property
    def at_stake(self) -> int:
        """How many of the calls are to be cancelled."""
        return sum(not self._is_spared(call) for call in self.calls)

    def lines(self, *, shows_numbers: bool) -> Iterator[str]:
        """Yield lines for a terminal of 80 columns."""
        yield _line("account", self.account.sid)
        yield _line("found", f"{len(self.calls):,} queued calls match, of {self.listed:,} that Twilio listed")
        if not self.calls:
            return
        yield from self._senders(shows_numbers=shows_numbers)
        created = [call.created_ms for call in self.calls]
        yield _line("oldest", self._moment(min(created)))
        yield _line("newest", self._moment(max(created)))
        yield from self._spared()
        if self.at_stake:
            yield from self._cost()

    def _senders(self, *, shows_numbers: bool) -> Iterator[str]:
        counts = Counter(call.from_number for call in self.calls)
        label = "from"
        for number, count in counts.most_common(MOST_SENDERS):
            name = "(not told)" if not number else number if shows_numbers else masked(number)
            yield _line(label, f"{name:<16} {count:>7,} {_calls(count)}")
            label = ""
        if len(counts) > MOST_SENDERS:
            rest = len(self.calls) - sum(count for _, count in counts.most_common(MOST_SENDERS))
            yield _line("", f"{f'{len(counts) - MOST_SENDERS:,} more':<16} {rest:>7,} {_calls(rest)}")

    def _moment(self, created_ms: int) -> str:
        return f"{shown(created_ms)}, {span(max(0, self.now_ms - created_ms) / 1000)} ago"

    def _spared(self) -> Iterator[str]:
        spared = [call for call in self.calls if self._is_spared(call)]
        unknown = sum(not (call.from_number and call.to_number) for call in spared)
        if listed := len(spared) - unknown:
            yield _line("spared", f"{listed:,}: From or To is on `never_cancel`")
        if unknown:
            yield _line("spared", f"{unknown:,}: From or To is not told, and might be on `never_cancel`")
        if not spared and self.account.policy.never_cancel:
            yield _line("spared", "0: none of them is on `never_cancel`")

    def _cost(self) -> Iterator[str]:
        dollars = self.at_stake * self.price
        yield _line("at stake", f"about ${dollars:,.2f}: {self.at_stake:,} {_calls(self.at_stake)}")
        yield _line("", f"at ${self.price:g} each, if all are answered (an estimate: --price)")
        seconds = len(self.calls) / self.cps
        yield _line("dialler", f"{figure(self.cps)} a second: all of them would be dialled within {span(seconds)}")

    def _is_spared(self, call: ListedCall) -> bool:
        return self.account.marks.is_spared(call.from_number, call.to_number)


def _calls(count: int) -> str:
    return "call" if count == 1 else "calls"


def _line(label: str, text: str) -> str:
    return f"  {label:<{_LABEL}}{text}"
