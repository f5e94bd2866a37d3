"""The Protocols of what the cancel engine uses."""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Protocol

from callguard.domain.calls import ListedPage, MirroredCall
from callguard.domain.cancel_run import Added, FoundCall
from callguard.domain.incidents import Incident
from callguard.domain.notices import Notice
from callguard.domain.policy import Mode
from callguard.domain.replies import CancelReply
from callguard.domain.selection import Selection
from callguard.domain.snapshot import Snapshot
from callguard.domain.tally import Outcome, Tally


class CallCanceller(Protocol):
    """Twilio's Calls resource for a sweep: many requests at once, on one event loop.

    Both methods may raise `TwilioUnavailable`, `TwilioThrottled` or `TwilioRefused`.
    """

    async def cancel(self, account_sid: str, call_sid: str) -> CancelReply:
        """Send `Status=canceled` and read the status in the reply. Never sends `completed`."""

    async def look_up(self, account_sid: str, call_sid: str) -> CancelReply:
        """Fetch the call and say what has become of it."""


class CallTracker(Protocol):
    """The calls of every account: the queue mirror, the buckets, the horizon. Each method is atomic."""

    def snapshot(self, account_sid: str, now_ms: int) -> Snapshot:
        """Return what is known of the account."""

    def mirrored_among(self, account_sid: str, call_sids: Sequence[str]) -> Mapping[str, MirroredCall]:
        """Return those of the calls that are in the mirror, by SID."""

    def head(self, account_sid: str, count: int, start: int = 0) -> list[str]:
        """Return the oldest `count` calls that may be cancelled, after the oldest `start`, oldest first."""

    def in_scope(self, account_sid: str, call_sids: Sequence[str]) -> list[str]:
        """Return those of the calls that the open incident is about; the others are left alone from now on."""

    def never_cancel_digest(self, account_sid: str) -> str:
        """Return the noted digest of `never_cancel`; empty if none was noted."""

    def newest(self, account_sid: str, start: int, count: int) -> list[str]:
        """Return `count` calls that may be cancelled, newest first, after the newest `start`."""


class SweepLedger(Protocol):
    """Where a sweep takes its calls from, and keeps what became of them. Both may raise `StoreUnavailable`."""

    def head(self, count: int) -> Sequence[str]:
        """Return the oldest `count` calls that are not settled, oldest first."""

    def settle(self, outcomes: Sequence[tuple[str, Outcome]]) -> bool:
        """Record what became of calls, each once; return whether cancelling may go on.

        Also called with no outcomes, before requests are sent.
        """


class CancelRun(SweepLedger, Protocol):
    """The calls of a cancel run by hand, recorded so that a broken-off run can be continued."""

    def add(self, calls: Sequence[FoundCall], *, again: Collection[Outcome] = ()) -> Added:
        """Add calls that a list shows; those whose outcome is among `again` are to be tried again."""

    def tally(self) -> Tally:
        """Return how many calls were found and what has become of them."""


class DrainQueue(Protocol):
    """The wake-up for cancel workers."""

    def others_wait(self, account_sid: str) -> bool:
        """Return whether wake-ups for other accounts are waiting for a worker; False if that cannot be told."""


class IncidentStore(Protocol):
    """Trips, drains and their outcomes. Each method is one compare-and-set."""

    def start_drain(self, account_sid: str, generation: int, owner: str, mode: Mode) -> bool:
        """Take the drain's lease for `owner`; False if another holds it or there is nothing to drain.

        With `Mode.OBSERVE` the incident only observes from now on.
        """

    def keep_drain(self, account_sid: str, generation: int, owner: str) -> bool:
        """Renew the lease; False if it was lost, the guard paused, or the incident is over."""

    def unobserve(self, account_sid: str, generation: int) -> int:
        """Count the calls still queued as to be cancelled instead of as observed; return how many."""

    def settle_all(
        self, account_sid: str, generation: int, outcomes: Sequence[tuple[str, Outcome]], now_ms: int
    ) -> bool:
        """Record what became of calls, each once, and read the kill switch.

        False if the guard is paused or the drain of `generation` is over. May be called with no outcomes."""

    def concurrency(self, account_sid: str) -> float | None:
        """Return how many requests at once Twilio last bore, for whoever drains next; None if it is not known."""

    def note_concurrency(self, account_sid: str, limit: float) -> None:
        """Keep how many requests at once Twilio bears now."""

    def yield_drain(self, account_sid: str, owner: str) -> None:
        """Give the lease back with the drain unfinished."""

    def finish_drain(self, account_sid: str, generation: int, owner: str, now_ms: int, *, capped: bool) -> bool:
        """Go to cooling; False if calls have come in again (unless `capped`, or only observing)."""

    def current(self, account_sid: str) -> Incident | None:
        """Return the open incident."""


class Notices(Protocol):
    """The outbox: notices wait in Redis until they are delivered. Nothing is lost while a receiver is away."""

    def post(self, notice: Notice, *, once: str = "", every_seconds: int = 0) -> bool:
        """Put a notice into the outbox.

        With `once`, a second notice with the same words for `once` within `every_seconds` is dropped; False then.
        """


class QueuedCalls(Protocol):
    """Twilio's list of queued calls, read patiently while a person waits."""

    def queued_patiently(
        self, account_sid: str, selection: Selection, rest: Callable[[float, str], None]
    ) -> Iterator[ListedPage]:
        """Yield pages of calls. The pages may be narrowed to the selection: check each call all the same.

        A page that was not served is asked for again, a few times: `rest` is called with the seconds to wait and
        the reason. May raise `TwilioUnavailable`, `TwilioThrottled` or `TwilioRefused`.
        """


class Telephony(Protocol):
    """Twilio's Calls resource.

    Every method may raise `TwilioUnavailable`, `TwilioThrottled` or `TwilioRefused`.
    """

    def cancel(self, account_sid: str, call_sid: str) -> CancelReply:
        """Send `Status=canceled` and read the status in the reply. Never sends `completed`."""

    def look_up(self, account_sid: str, call_sid: str) -> CancelReply:
        """Fetch the call and say what has become of it."""
