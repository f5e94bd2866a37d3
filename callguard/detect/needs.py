"""The Protocols of what detection uses: the store, RQ, Twilio. Adapters fulfil them."""

from collections.abc import Sequence
from typing import Protocol

from callguard.domain.calls import CallEvent
from callguard.domain.campaign_calls import CampaignCalls
from callguard.domain.campaigns import Campaign
from callguard.domain.culprits import Culprit, Sender
from callguard.domain.incidents import Incident
from callguard.domain.notices import Notice
from callguard.domain.policy import Mode, Policy
from callguard.domain.readings import Observation, Reported
from callguard.domain.replies import CancelReply
from callguard.domain.scope import EVERY_CALL, Scope
from callguard.domain.snapshot import Finding, Rule, Snapshot
from callguard.domain.sources import Source


class CallTracker(Protocol):
    """The calls of every account: the queue mirror, the buckets, the horizon. Each method is atomic."""

    def observe(
        self,
        account_sid: str,
        events: Sequence[CallEvent],
        policy: Policy,
        now_ms: int,
        source: Source,
        *,
        if_crossed: bool = False,
    ) -> Observation:
        """Count each event once and return the account's snapshot. `events` are in order of time.

        With `if_crossed` the snapshot is left out where no rule can have been crossed, to save its cost.
        """

    def suspect(self, account_sid: str, finding: Finding, now_ms: int, *, by_reports: bool = False) -> None:
        """Remember a crossed rule until Twilio's list has been read; `by_reports` where only reports cross it."""

    def snapshot(self, account_sid: str, now_ms: int) -> Snapshot:
        """Return what is known of the account."""

    def take_back(self, account_sid: str) -> None:
        """Let calls that were left alone be cancelled after all, if they are in scope by now."""

    def repeated_by(self, account_sid: str) -> str:
        """Return the keyed hash of the From that last called the destination called most often; or empty."""

    def senders(self, account_sid: str, rule: Rule, policy: Policy, now_ms: int) -> list[Sender]:
        """Return the From numbers of late: of calls dialled for `Rule.INITIATED`, else queued."""

    def queued_since(self, account_sid: str, seconds: int, now_ms: int) -> int:
        """Return how many calls entered the queue in the last `seconds` (at most 900)."""

    def dialled_since(self, account_sid: str, seconds: int, now_ms: int) -> int:
        """Return how many calls left the queue for the dialler in the last `seconds` (at most 900)."""

    def count(self, account_sid: str, name: str, more: int = 1) -> None:
        """Raise the counter `name` by `more`. Its names are a closed set, such as `reports:client:malformed`."""


class DrainQueue(Protocol):
    """The wake-up for cancel workers."""

    def wake(self, account_sid: str, generation: int) -> bool:
        """Ask for a drain, best effort; False (logged) if that failed: then the watcher asks."""


class IncidentStore(Protocol):
    """Trips, drains and their outcomes. Each method is one compare-and-set."""

    def trip(
        self,
        account_sid: str,
        generation: int,
        finding: Finding,
        mode: Mode,
        now_ms: int,
        culprits: Sequence[Culprit] = (),
        scope: Scope = EVERY_CALL,
        *,
        unqueued: bool = False,
    ) -> bool:
        """Open an incident if the account is armed at `generation`; return whether this call did it.

        `unqueued`: it has no queue, so that no drain may begin until `take_queue`.
        """

    def take_queue(self, account_sid: str, generation: int, now_ms: int) -> bool:
        """Let an incident without a queue be drained, since calls wait by now; return whether this call did it."""

    def go_on(self, account_sid: str, generation: int) -> bool:
        """Reopen the closed incident of `generation`, if it had no queue and nothing has tripped since."""

    def widen(self, account_sid: str, generation: int, scope: Scope) -> bool:
        """Widen the open incident to more calls; False if it is over."""

    def continue_drain(
        self, account_sid: str, generation: int, now_ms: int = 0, *, by: str = "", reason: str = ""
    ) -> bool:
        """Let a drain that has stopped at its cap go on, for as many cancellations again; False if it has not."""

    def rearm(
        self, account_sid: str, generation: int, reason: str, now_ms: int, *, force: bool, by: str = ""
    ) -> bool:
        """Close the incident and arm the guard: from cooling, or from any open state with `force`.

        `by` is the person who asks for it. With a person, doubt about lost decisions ends too.
        """

    def pause(self, account_sid: str, reason: str, now_ms: int, *, by: str = "", until_ms: int = 0) -> None:
        """Stop all tripping and cancelling for the account until `resume`.

        At `until_ms` the watcher resumes; 0 for never.
        """

    def resume(
        self, account_sid: str, now_ms: int = 0, *, by: str = "", reason: str = "", since_ms: int = 0
    ) -> bool:
        """Undo `pause`, or only the one that began at `since_ms`; return whether the guard was held back."""

    def current(self, account_sid: str) -> Incident | None:
        """Return the open incident."""

    def recent(self, account_sid: str, count: int) -> list[Incident]:
        """Return the newest closed incidents."""


class Notices(Protocol):
    """The outbox: notices wait in Redis until they are delivered. Nothing is lost while a receiver is away."""

    def post(self, notice: Notice, *, once: str = "", every_seconds: int = 0) -> bool:
        """Put a notice into the outbox.

        With `once`, a second notice with the same words for `once` within `every_seconds` is dropped; False then.
        """


class Reports(Protocol):
    """Calls reported by the programs that create them, which Twilio has not confirmed yet.

    No rule counts them. Each method may raise `StoreUnavailable`.
    """

    def note(self, account_sid: str, events: Sequence[CallEvent], policy: Policy) -> Reported:
        """Note that the calls have entered the queue; known calls are skipped."""

    def unconfirmed(self, account_sid: str) -> list[CallEvent]:
        """Return all of them, as they were reported."""

    def forget(self, account_sid: str, call_sids: Sequence[str], policy: Policy, now_ms: int) -> int:
        """Forget calls that Twilio does not know; return how many there were."""


class Telephony(Protocol):
    """Twilio's Calls resource.

    Every method may raise `TwilioUnavailable`, `TwilioThrottled` or `TwilioRefused`.
    """

    def look_up(self, account_sid: str, call_sid: str) -> CancelReply:
        """Fetch the call and say what has become of it."""


class Campaigns(Protocol):
    """The announced campaigns of every account."""

    def announce(self, account_sid: str, *campaigns: Campaign) -> None:
        """Record campaigns, all or none; from now on their calls count apart. May raise `TooManyCampaigns`."""

    def campaigns(self, account_sid: str) -> list[Campaign]:
        """Return the campaigns of the last 30 days, the latest first."""

    def end_campaign(self, account_sid: str, campaign_id: str, now_ms: int) -> Campaign | None:
        """End a campaign and return it as it ended, now or before; None if there is no such campaign."""

    def calls_of(self, account_sid: str, campaign_id: str) -> CampaignCalls:
        """Return a campaign's queued calls, as far as they can be told from those of others.

        Must be called before the campaign ends: only while it is open is it known which calls it takes.
        """

    def release(self, account_sid: str, campaign_id: str, call_sids: Sequence[str], now_ms: int) -> int:
        """Turn a campaign's queued calls into ordinary calls, which may be cancelled; return how many."""


class Memory(Protocol):
    """Where decisions are remembered beside Redis."""

    def remember(self, account_sid: str) -> bool:
        """Remember what Redis holds now; return whether it is in a file too. May raise `StoreUnavailable`."""
