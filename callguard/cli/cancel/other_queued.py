"""Queued calls that were not meant, and their senders.

An empty search must not look like an empty queue. Only numbers in the options are shown."""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from rich.console import Console

from callguard.cancel.needs import QueuedCalls
from callguard.cancel.queue_search import find
from callguard.cli.cancel.progress import ListTroubles, say
from callguard.domain.addresses import masked
from callguard.domain.calls import ListedCall
from callguard.domain.selection import Selection
from callguard.errors import TwilioRefused, TwilioThrottled, TwilioUnavailable


@dataclass(frozen=True, slots=True)
class OtherQueued:
    """The queued calls that are not meant by this run.

    Attributes:
        calls: those calls; None if Twilio's list could not be read.
        senders: their numbers, in one line.
    """

    calls: int | None
    senders: str = ""

    @property
    def are_none(self) -> bool:
        """Whether it is known that there are none."""
        return self.calls == 0

    def after_nothing(self) -> str:
        """Return the text for a search that found nothing."""
        if self.calls is None:
            return "Nothing that matches is queued. Whether other calls are is not known."
        if not self.calls:
            return "Nothing that matches is queued, and no other call is."
        are = "1 other call is" if self.calls == 1 else f"{self.calls:,} other calls are"
        return (
            f"Nothing that matches is queued, but {are}, from {self.senders}.\n"
            "Look at them with `callguard cancel --dry-run --show-numbers`."
        )

    def after_all(self) -> str:
        """Return the text for a run that has cancelled its own calls only."""
        if self.calls is None:
            return "Whether others are queued is not known: `callguard cancel --dry-run` looks."
        are = "1 other is" if self.calls == 1 else f"{self.calls:,} others are"
        return f"{are} queued, from {self.senders}: `callguard cancel`"


def others_queued(
    telephony: QueuedCalls,
    account_sid: str,
    console: Console,
    is_other: Callable[[ListedCall], bool] | None = None,
    *,
    shows_numbers: bool,
) -> OtherQueued:
    """Read Twilio's list without any filter of its own."""
    try:
        calls = find(telephony, account_sid, Selection(), ListTroubles(console), is_other)
    except (TwilioRefused, TwilioThrottled, TwilioUnavailable) as error:
        say(console, f"  Twilio's list could not be read: {error}")
        return OtherQueued(None)
    return OtherQueued(len(calls), Senders(calls, shows_numbers=shows_numbers).text())


MAX_SENDERS = 10


class Senders:
    """The From numbers of calls, most calls first; `MAX_SENDERS` of them are named.

    Attributes:
        unnamed: how many more numbers there are.
        unnamed_calls: how many calls these have.
        has_alike: whether different numbers are shown by the same mask, told apart by `#1`, `#2`.
    """

    def __init__(self, calls: Sequence[ListedCall], *, shows_numbers: bool) -> None:
        """Count."""
        counts = Counter(call.from_number for call in calls)
        self._named = counts.most_common(MAX_SENDERS)
        self.unnamed = len(counts) - len(self._named)
        self.unnamed_calls = len(calls) - sum(count for _, count in self._named)
        self._names = [_name(number, shows_numbers=shows_numbers) for number, _ in self._named]
        self._alike = {name for name, times in Counter(self._names).items() if times > 1}
        self.has_alike = bool(self._alike)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        """Yield a name, and how many calls are from it."""
        seen: Counter[str] = Counter()
        for name, (_, count) in zip(self._names, self._named, strict=True):
            seen[name] += 1
            yield (f"{name} #{seen[name]}" if name in self._alike else name), count

    def text(self) -> str:
        """Return them in one line."""
        names = [f"{name} ({count:,})" for name, count in self]
        return ", ".join([*names, f"{self.unnamed:,} more ({self.unnamed_calls:,})"] if self.unnamed else names)


def _name(number: str, *, shows_numbers: bool) -> str:
    if not number:
        return "(not told)"
    return number if shows_numbers else masked(number)
