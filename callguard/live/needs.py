"""The Protocols of what is used to act on live calls."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from callguard.domain.campaigns import Campaign
from callguard.domain.hold_queues import HoldQueue
from callguard.domain.incidents import Incident, LiveOutcome
from callguard.domain.live_call import Claim, LiveCall
from callguard.domain.notices import Notice
from callguard.domain.replies import CancelReply, LiveReply


class Campaigns(Protocol):
    """The announced campaigns of every account."""

    def campaigns(self, account_sid: str) -> list[Campaign]:
        """Return the campaigns of the last 30 days, the latest first."""


class HoldQueueSizes(Protocol):
    """How many callers are on hold, as last read."""

    def show(self, account_sid: str, sizes: Mapping[str, int]) -> None:
        """Replace the shown sizes of all hold queues, by name."""


class IncidentStore(Protocol):
    """Trips, drains and their outcomes. Each method is one compare-and-set."""

    def current(self, account_sid: str) -> Incident | None:
        """Return the open incident."""


class LiveCallStore(Protocol):
    """What was done with live calls, so that nothing is done twice. Each method is atomic."""

    def claim(self, account_sid: str, generation: int, call_sid: str, now_ms: int, *, unheard: bool) -> Claim:
        """Read the kill switch and take a call for one attempt (`YOURS`, or `LAST`: there will be no other).

        `STOPPED`: paused, observing, capped, or not the open incident; `WAITING`: an attempt may be under way;
        `KNOWN`: it was acted on, tried too often, or left alone; `ANNOUNCED`: an announced campaign's;
        `UNHEARD`: nothing was ever heard of it, and without `unheard` it is not taken.
        """

    def put_back(self, account_sid: str, call_sid: str, *, spent: bool) -> None:
        """Let the call be claimed again at once; unless the attempt was `spent`, it does not count."""

    def settle(self, account_sid: str, generation: int, call_sid: str, outcome: LiveOutcome | None) -> None:
        """Never touch the call again, and count `outcome`, if there is one, in the incident, once."""

    def leave_alone(self, account_sid: str, call_sids: Sequence[str]) -> None:
        """Never touch these calls: their callers are, or were, on hold or with an agent."""


class LiveTelephony(Protocol):
    """Twilio's live calls and hold queues. Every method may raise what `Telephony` does."""

    def live_calls(self, account_sid: str) -> Iterator[list[LiveCall]]:
        """Yield the account's calls that ring or are in progress, a page at a time."""

    def hang_up(self, account_sid: str, call_sid: str) -> LiveReply:
        """Send `Status=completed` and read the status in the reply."""

    def redirect(self, account_sid: str, call_sid: str, url: str) -> LiveReply:
        """Send a call in progress to other TwiML and read the status in the reply."""

    def cancel(self, account_sid: str, call_sid: str) -> CancelReply:
        """As in `Telephony`: it ends a call that rings, and leaves one alone that was answered meanwhile."""

    def has_ended(self, account_sid: str, call_sid: str) -> bool:
        """Fetch the call and say whether it is over, or not known to Twilio any more."""

    def hold_queues(self, account_sid: str) -> list[HoldQueue]:
        """Return all hold queues of the account."""

    def on_hold(self, account_sid: str, queue_sid: str) -> list[str]:
        """Return the SIDs of the calls in a hold queue; none for a queue that is gone."""


class Notices(Protocol):
    """The outbox: notices wait in Redis until they are delivered. Nothing is lost while a receiver is away."""

    def post(self, notice: Notice, *, once: str = "", every_seconds: int = 0) -> bool:
        """Put a notice into the outbox.

        With `once`, a second notice with the same words for `once` within `every_seconds` is dropped; False then.
        """
