"""The Protocols of what the readers of Twilio's list use."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from callguard.domain.calls import ListedPage, MirroredCall
from callguard.domain.drain_time import Quote
from callguard.domain.notices import Notice, Outage
from callguard.domain.policy import Policy
from callguard.domain.snapshot import Snapshot
from callguard.domain.throughput import Throughput


class CallTracker(Protocol):
    """The calls of every account: the queue mirror, the buckets, the horizon. Each method is atomic."""

    def retire(self, account_sid: str, call_sids: Sequence[str], *, were_dialled: bool = True) -> int:
        """Remove calls from the mirror that Twilio no longer lists; return how many were in it.

        `were_dialled` is False for calls that somebody has cancelled: their slots stay in the queue.
        """

    def oldest_ms(self, account_sid: str) -> int | None:
        """Return when the oldest call of the mirror was created; None for an empty mirror."""

    def polled(
        self,
        account_sid: str,
        policy: Policy,
        now_ms: int,
        quote: Quote | None,
        throughput: Throughput,
        *,
        began_ms: int,
        believe: bool = True,
        never_cancel_digest: str = "",
    ) -> Snapshot:
        """Note that Twilio's list was read whole; correct the horizons by it, and keep what was learned.

        `began_ms` is when the reading began. Without `believe` the quoted horizon is dropped.
        """

    def quoted(self, account_sid: str, policy: Policy, now_ms: int, quote: Quote) -> Snapshot:
        """Correct the quoted horizon by the newest call's quote, of a list that was not read whole."""

    def snapshot(self, account_sid: str, now_ms: int) -> Snapshot:
        """Return what is known of the account."""

    def mirrored(self, account_sid: str) -> Mapping[str, MirroredCall]:
        """Return all calls in the mirror by SID."""

    def mirrored_among(self, account_sid: str, call_sids: Sequence[str]) -> Mapping[str, MirroredCall]:
        """Return those of the calls that are in the mirror, by SID."""

    def protect(self, account_sid: str, calls: Sequence[tuple[str, str]], *, protected: bool) -> None:
        """Mark mirrored calls as protected, or as not protected; each with the keyed hash of its From."""


class Notices(Protocol):
    """The outbox: notices wait in Redis until they are delivered. Nothing is lost while a receiver is away."""

    def post(self, notice: Notice, *, once: str = "", every_seconds: int = 0) -> bool:
        """Put a notice into the outbox.

        With `once`, a second notice with the same words for `once` within `every_seconds` is dropped; False then.
        """


class Outages(Protocol):
    """What Twilio fails to do, and since when, by account. Each method may raise `StoreUnavailable`."""

    def begin(self, account_sid: str, outage: Outage, now_ms: int) -> int:
        """Note the beginning of an outage, unless it is noted; return when it began, in Unix milliseconds."""

    def end(self, account_sid: str, outage: Outage) -> bool:
        """Note the end of an outage; return whether this call ended it."""

    def now(self, account_sid: str) -> Mapping[Outage, int]:
        """Return the present outages, and since when they last."""


class PollLease(Protocol):
    """The lease for reading an account's list of queued calls: one process at a time has it."""

    def take(self, account_sid: str, owner: str) -> bool:
        """Take or keep the lease; False while another has it."""

    def give_back(self, account_sid: str, owner: str) -> None:
        """Give the lease up, if `owner` has it."""


class Telephony(Protocol):
    """Twilio's Calls resource.

    Every method may raise `TwilioUnavailable`, `TwilioThrottled` or `TwilioRefused`.
    """

    def queued_calls(self, account_sid: str) -> Iterator[ListedPage]:
        """Yield the account's queued calls, a page at a time, in whatever order Twilio has."""
