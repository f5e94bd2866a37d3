"""The last words of `callguard cancel`: the tally, what to do about calls left, and how long a new call waits."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from callguard.cancel.manual_cancel import ManualCancelEnd
from callguard.cli.cancel.other_queued import OtherQueued
from callguard.cli.connect import guard_beside
from callguard.config.accounts import Account
from callguard.config.errors import ConfigurationError
from callguard.config.settings import Settings
from callguard.domain.calls import ListedCall, by_creation
from callguard.domain.drain_time import newest_quote
from callguard.domain.health import SILENT_SECONDS
from callguard.domain.snapshot import Snapshot
from callguard.domain.tally import Outcome, Tally
from callguard.domain.wording import span
from callguard.errors import CallGuardError

_WHY = {
    ManualCancelEnd.STOPPED: "STOPPED, as you wanted. Nothing more is sent; Twilio goes on dialling what remains.",
    ManualCancelEnd.DENIED: "STOPPED: Twilio refuses our credentials. Check TWILIO_AUTH_TOKEN, then go on.",
    ManualCancelEnd.STUCK: "STOPPED: Twilio gives no usable answer about what remains, and goes on dialling it.",
    ManualCancelEnd.UNLISTED: "STOPPED: whether more calls have come is not known.",
    ManualCancelEnd.LOST: "STOPPED: the progress file is gone; begin afresh.",
}


@dataclass(frozen=True, slots=True)
class FinalReport:
    """How a run ended.

    Attributes:
        tally: what has become of every call.
        seconds: how long it took.
        wait: how long a call created now may wait.
        lagging: calls that are over and that Twilio's list still shows.
        looked_for_newer: whether calls that came meanwhile were looked for.
        others: what else is queued, where only this run's own calls were looked for to the end.
    """

    end: ManualCancelEnd
    tally: Tally
    seconds: float
    wait: "Wait"
    lagging: int
    looked_for_newer: bool
    others: OtherQueued | None = None

    @property
    def is_done(self) -> bool:
        """Whether nothing is left to do."""
        return self.end is ManualCancelEnd.CLEARED and self.tally.is_clean

    def lines(self) -> Iterator[str]:
        """Yield lines. If something is left to do, the caller prints the command that continues after them."""
        if self.is_done and self.others is not None and not self.others.are_none:
            yield f"DONE after {span(self.seconds)} with that run's calls."
            yield self.others.after_all()
        elif self.is_done:
            yield f"DONE after {span(self.seconds)}: nothing that matches is queued any more."
        elif self.end is ManualCancelEnd.CLEARED:
            yield f"ENDED after {span(self.seconds)}: Twilio refuses to cancel what is counted as failed."
        else:
            yield _WHY[self.end]
        yield from self._sum()
        if self.lagging:
            yield f"Twilio's list still shows {self.lagging:,} calls that are over: it lags."
        if not self.looked_for_newer and self.others is None:
            yield "Calls that came later were not looked for: the options of the first run were not given."
        yield from self._slots()
        if not self.is_done:
            yield "To go on:"

    def _slots(self) -> Iterator[str]:
        seconds = self.wait.seconds
        if self.wait.is_whole and seconds >= 1:
            yield f"Cancelled calls keep their slots at Twilio: a call created now may wait {span(seconds)}."
        elif not self.wait.is_whole and self.tally.count(Outcome.CANCELLED):
            known = f"may wait {span(seconds)} or longer" if seconds >= 1 else "may wait"
            yield f"Cancelled calls keep their slots at Twilio: a call created now {known}."
            yield "How many slots were dead before this run is not known here."

    def _sum(self) -> Iterator[str]:
        """The tally as a sum; broken before the parts where they would not fit one line."""
        yield f"  {self.tally.found:,} found"
        yield f"  = {' + '.join(self.tally.terms(with_zeros=True))}"


@dataclass(frozen=True, slots=True)
class Wait:
    """The wait, as far as it is known.

    Attributes:
        seconds: the least it can be, by this run's own cancelled calls and by what others say.
        is_whole: a source that also knows the slots from before the run has given it.
    """

    seconds: float
    is_whole: bool


@dataclass(slots=True)
class Quotes:
    """Twilio's quotes for the listed calls: when each will be dialled.

    Attributes:
        latest_ms: the latest such moment, in milliseconds of Unix time; 0 for none.
        are_of_all: whether the lists have every queued call, and not only those that are meant.
    """

    are_of_all: bool
    latest_ms: int = 0

    def note(self, listed: Sequence[ListedCall], now_ms: int) -> None:
        """Look at a list, whatever its order."""
        quote = newest_quote(by_creation(listed, now_ms), now_ms)
        if quote is not None:
            self.latest_ms = max(self.latest_ms, quote.dialled_ms)


def wait_of(own_seconds: float, guard: Snapshot | None, quotes: Quotes, now_ms: int) -> Wait:
    """Return the longest estimate. Twilio's quotes may be old: they count only if no guard reads the queue."""
    told, is_whole = [0.0, own_seconds], False
    if guard is not None:
        told.append(guard.drain_seconds)
        is_whole = now_ms - guard.polled_ms <= SILENT_SECONDS * 1000
    if not is_whole and quotes.latest_ms:
        told.append((quotes.latest_ms - now_ms) / 1000)
        is_whole = quotes.are_of_all
    return Wait(max(told), is_whole)


def guards_view(settings: Settings, account: Account, now_ms: int) -> Snapshot | None:
    """Return what a guard beside us knows of the account; None without one, or where it cannot be asked."""
    try:
        parts = guard_beside(settings)
        return parts.stores.tracker.snapshot(account.sid, now_ms) if parts else None
    except (CallGuardError, ConfigurationError):
        return None
