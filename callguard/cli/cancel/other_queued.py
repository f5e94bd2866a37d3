"""Calls that are queued and were not meant: an empty search must not look like an empty queue."""

from collections.abc import Callable
from dataclasses import dataclass

from rich.console import Console

from callguard.cancel.needs import QueuedCalls
from callguard.cancel.queue_search import find
from callguard.cli.cancel.progress import ListTroubles, say
from callguard.cli.cancel.senders import Senders
from callguard.domain.calls import ListedCall
from callguard.domain.selection import Selection
from callguard.errors import TwilioRefused, TwilioThrottled, TwilioUnavailable


@dataclass(frozen=True, slots=True)
class OtherQueued:
    """Everything that is queued, whatever was asked for, as far as it counts as other.

    Attributes:
        calls: these; None where Twilio's list could not be read.
        senders: their numbers, in one line.
    """

    calls: int | None
    senders: str = ""

    @property
    def are_none(self) -> bool:
        """Whether it is known that there are none."""
        return self.calls == 0

    def after_nothing(self) -> str:
        """Return what is said where nothing matches."""
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
        """Return what is said where a run has cleared its own calls only."""
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
