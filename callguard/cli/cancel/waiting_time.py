"""How long a call created now may wait at Twilio: behind the slots of calls that were cancelled, too."""

from collections.abc import Sequence
from dataclasses import dataclass

from callguard.cli.connect import guard_beside
from callguard.config.accounts import Account
from callguard.config.errors import ConfigurationError
from callguard.config.settings import Settings
from callguard.domain.calls import ListedCall, by_creation
from callguard.domain.drain_time import newest_quote
from callguard.domain.health import SILENT_SECONDS
from callguard.domain.snapshot import Snapshot
from callguard.errors import CallGuardError


@dataclass(frozen=True, slots=True)
class Wait:
    """The wait, as far as it is known.

    Attributes:
        seconds: it is at least so long, by what a run has cancelled itself and by what others tell.
        is_whole: it has been told by somebody who knows of the slots of before the run too.
    """

    seconds: float
    is_whole: bool


@dataclass(slots=True)
class Quotes:
    """What Twilio has told the calls of its lists: when they will be dialled.

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
    """Return the longest of what is told. Twilio's quotes may be old: a guard that looks knows better."""
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
