"""What the use cases need from the outside, and what may go wrong there.

Adapters (`store`, `telephony`, `jobs`) fulfil these; `bootstrap` brings them together.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from callguard.domain.accounts import Finding, Rule, Snapshot, State
from callguard.domain.calls import CallEvent, ListedCall
from callguard.domain.campaign_calls import CampaignCalls
from callguard.domain.campaigns import Campaign
from callguard.domain.clearing import Added, ClearingAccount, FoundCall
from callguard.domain.culprits import Culprit, Sender
from callguard.domain.drain_time import Quote
from callguard.domain.health import Watched
from callguard.domain.hold_queues import HoldQueue
from callguard.domain.incidents import Incident, LiveOutcome, Outcome
from callguard.domain.live_calls import LiveCall
from callguard.domain.policy import Mode, Policy
from callguard.domain.processes import RunningProcess
from callguard.domain.scope import EVERY_CALL, Scope
from callguard.domain.selection import Selection
from callguard.domain.throughput import Throughput


class CallGuardError(Exception):
    """The base of all errors that CallGuard raises on purpose."""


class StoreUnavailable(CallGuardError):
    """Redis did not answer in time. The same call may be tried again: nothing counts twice."""


class TooManyCampaigns(CallGuardError):
    """No further campaign can be announced for the account."""


class TwilioUnavailable(CallGuardError):
    """Twilio did not answer, or answered 5xx. Whether the request was carried out is unknown."""


class TwilioThrottled(CallGuardError):
    """Twilio answered 429: the request was never processed.

    `retry_after` is in seconds, `concurrent` counts the requests that the account had under way; each if given.
    """

    def __init__(self, message: str, retry_after: float | None = None, concurrent: int | None = None) -> None:
        """Keep the pause that Twilio asked for, and what it said of the account's load."""
        super().__init__(message)
        self.retry_after = retry_after
        self.concurrent = concurrent


class TwilioRefused(CallGuardError):
    """Twilio answered 4xx: trying again cannot help. `code` is Twilio's, 0 if it gave none."""

    def __init__(self, message: str, code: int = 0, http_status: int = 0) -> None:
        """Keep Twilio's error code and the HTTP status."""
        super().__init__(message)
        self.code = code
        self.http_status = http_status

    @property
    def is_denial(self) -> bool:
        """True where Twilio does not accept our credentials, so that no other request will fare better."""
        return self.http_status in (401, 403)


class Clock(Protocol):
    """The time, in milliseconds of Unix time."""

    def now_ms(self) -> int:
        """Return the present."""


@dataclass(frozen=True, slots=True)
class Observation:
    """What came of telling the store some news.

    Attributes:
        counted: how many of the events were news.
        snapshot: the account after them; None where no rule can have been crossed, if that was asked for.
        may_warn: whether a rule may have come as far as its warning.
    """

    counted: int
    snapshot: Snapshot | None
    may_warn: bool = False


@dataclass(frozen=True, slots=True)
class Reported:
    """What came of noting reports.

    Attributes:
        counted: how many of the calls were news.
        may_cross: whether they would cross a rule if they were true.
    """

    counted: int
    may_cross: bool


@dataclass(frozen=True, slots=True)
class MirroredCall:
    """A call in the mirror: its creation in milliseconds, and what keeps it from being cancelled.

    That is `never_cancel`, an announced campaign, or an open incident that is not about it.
    """

    created_ms: int
    spared: bool
    announced: bool = False
    outside: bool = False


class Door(Enum):
    """By which of Twilio's ways news of a call came in."""

    CALLBACK = "callback"
    POLL = "poll"
    EVENT = "event"


class CallTracker(Protocol):
    """The calls of every account: the queue mirror, the buckets, the horizon. Each method is atomic."""

    def observe(
        self,
        account_sid: str,
        events: Sequence[CallEvent],
        policy: Policy,
        now_ms: int,
        door: Door,
        *,
        if_crossed: bool = False,
    ) -> Observation:
        """Count each event once and return the account's snapshot. `events` are in order of time.

        With `if_crossed` the snapshot is left out where no rule can have been crossed, to save its cost.
        """

    def retire(self, account_sid: str, call_sids: Sequence[str], *, were_dialled: bool = True) -> int:
        """Take calls that Twilio no longer lists out of the mirror; return how many were in it.

        `were_dialled` is False for calls that cannot have been: somebody has cancelled them, their slots stay.
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
        protection: str = "",
    ) -> Snapshot:
        """Note that Twilio's list was read whole, hold the horizons to what it showed, keep what was learned.

        `began_ms` is when the reading began. Without `believe` the quoted horizon is given up.
        """

    def quoted(self, account_sid: str, policy: Policy, now_ms: int, quote: Quote) -> Snapshot:
        """Hold the quoted horizon to the quote of the newest call of a list that was not read whole."""

    def suspect(self, account_sid: str, finding: Finding, now_ms: int, *, by_reports: bool = False) -> None:
        """Remember a crossed rule until Twilio's list has been read; `by_reports` where only reports cross it."""

    def snapshot(self, account_sid: str, now_ms: int) -> Snapshot:
        """Return what is known of the account."""

    def snapshots(self, account_sids: Sequence[str], now_ms: int) -> list[Snapshot]:
        """Return what is known of each account, in their order, all in a few round trips."""

    def mirrored(self, account_sid: str) -> Mapping[str, MirroredCall]:
        """Return all calls in the mirror by SID."""

    def mirrored_among(self, account_sid: str, call_sids: Sequence[str]) -> Mapping[str, MirroredCall]:
        """Return those of the calls that are in the mirror, by SID."""

    def spare(self, account_sid: str, calls: Sequence[tuple[str, str]], *, spared: bool) -> None:
        """Mark mirrored calls as never to be cancelled, or as to be; each with the keyed hash of its From."""

    def head(self, account_sid: str, count: int, start: int = 0) -> list[str]:
        """Return the oldest `count` calls that may be cancelled, after the oldest `start`, oldest first."""

    def in_scope(self, account_sid: str, call_sids: Sequence[str]) -> list[str]:
        """Return those of the calls that the open incident is about; the others are left alone from now on."""

    def newest(self, account_sid: str, start: int, count: int) -> list[str]:
        """Return `count` calls that may be cancelled, newest first, after the newest `start`."""

    def take_back(self, account_sid: str) -> None:
        """Let calls that were left alone be cancelled after all, if they are in scope by now."""

    def protection(self, account_sid: str) -> str:
        """Return what was noted; empty for nothing."""

    def repeated_by(self, account_sid: str) -> str:
        """Return the keyed hash of the From that last called the telephone that is called most often; or empty."""

    def senders(self, account_sid: str, rule: Rule, policy: Policy, now_ms: int) -> list[Sender]:
        """Return the From numbers of late: of calls dialled for `Rule.INITIATED`, else queued."""

    def queued_since(self, account_sid: str, seconds: int, now_ms: int) -> int:
        """Return how many calls entered the queue in the last `seconds` (at most 900)."""

    def dialled_since(self, account_sid: str, seconds: int, now_ms: int) -> int:
        """Return how many calls left the queue for the dialler in the last `seconds` (at most 900)."""

    def culprits(self, account_sid: str, rule: Rule, policy: Policy, now_ms: int) -> list[Culprit]:
        """Return those of the `senders` that stand out."""

    def prune_senders(self, account_sid: str, policy: Policy, now_ms: int) -> None:
        """Forget the From numbers whose calls have leaked away."""

    def refused(self, account_sid: str, result: str) -> None:
        """Count a callback of a known account that was not taken, under its closed-set `result`."""


class Reports(Protocol):
    """Calls that whoever created them has reported, and of which Twilio has said nothing yet.

    No rule counts them. Each may raise `StoreUnavailable`.
    """

    def note(self, account_sid: str, events: Sequence[CallEvent], policy: Policy) -> Reported:
        """Note the calls' entrance; a call that is known already is no news."""

    def unconfirmed(self, account_sid: str) -> list[CallEvent]:
        """Return all of them, as they were reported."""

    def forget(self, account_sid: str, call_sids: Sequence[str], policy: Policy, now_ms: int) -> int:
        """Forget calls that Twilio does not know; return how many there were."""


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

        To be asked before the campaign is ended: of an open one it is known which calls it takes.
        """

    def release(self, account_sid: str, campaign_id: str, call_sids: Sequence[str], now_ms: int) -> int:
        """Take a campaign's queued calls for any other calls, which may be cancelled; return how many were."""


class PollLease(Protocol):
    """Who reads an account's list of queued calls. One at a time, whatever the number of processes."""

    def take(self, account_sid: str, owner: str) -> bool:
        """Take or keep the lease; False while another has it."""

    def give_back(self, account_sid: str, owner: str) -> None:
        """Give the lease up, if `owner` has it."""


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that a person should hear of.

    Attributes:
        account_sid: whom it concerns.
        kind: of the closed set `NoticeKind`.
        text: what happened, with its figures; no number in full, no secret.
        at_ms: when, in milliseconds of Unix time.
    """

    account_sid: str
    kind: "NoticeKind"
    text: str
    at_ms: int


class NoticeKind(Enum):
    """What notices are about."""

    WARNING = "warning"
    TRIPPED = "tripped"
    CAPPED = "capped"
    ARMED = "armed"
    CPS = "cps"
    CAMPAIGN = "campaign"
    PAUSED = "paused"
    RESUMED = "resumed"
    WAITING = "waiting"
    STATE_LOST = "state lost"
    PROGRESS = "progress"
    DONE = "done"
    DENIED = "denied"
    BLIND = "blind"
    PROCESS = "process"
    DROPPED = "dropped"


EVERY_ACCOUNT = "ALL"
"""Stands for an account's SID in a notice that concerns all of them."""


class Outage(Enum):
    """What Twilio does not do for us: list queued calls, or it refuses our credentials for it, or for cancels."""

    LIST = "list"
    LIST_DENIED = "list_denied"
    CANCEL_DENIED = "cancel_denied"

    @property
    def is_denial(self) -> bool:
        """True where our credentials are refused."""
        return self is not Outage.LIST

    @property
    def words(self) -> str:
        """As people read it."""
        if self is Outage.LIST:
            return "Twilio's list of queued calls cannot be read"
        what = "the list" if self is Outage.LIST_DENIED else "cancels"
        return f"Twilio refuses our credentials for {what}: check the auth token"


class Outages(Protocol):
    """What Twilio does not do for us, and since when, by account. Each may raise `StoreUnavailable`."""

    def begin(self, account_sid: str, outage: Outage, now_ms: int) -> int:
        """Note that it has begun, unless that is known; return since when, in milliseconds of Unix time."""

    def end(self, account_sid: str, outage: Outage) -> bool:
        """Note that it is over; return whether this call did it."""

    def now(self, account_sid: str) -> Mapping[Outage, int]:
        """Return what goes on, and since when."""


class Notices(Protocol):
    """The outbox: notices wait in Redis until they are delivered. Nothing is lost while a receiver is away."""

    def post(self, notice: Notice, *, once: str = "", every_seconds: int = 0) -> bool:
        """Put a notice into the outbox.

        With `once`, a second notice with the same words for `once` within `every_seconds` is dropped; False then.
        """

    def waiting(self, count: int) -> list[tuple[str, Notice]]:
        """Return the oldest notices, each with the id under which it is taken out."""

    def done(self, notice_id: str) -> None:
        """Take a notice out of the outbox."""


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of a try: which receivers have the notice by now, and whether all do that should."""

    is_complete: bool
    taken_by: frozenset[str] = frozenset()


class Notifier(Protocol):
    """The way to people."""

    def deliver(self, notice: Notice, taken_by: Collection[str] = ()) -> Delivery:
        """Offer a notice to the receivers, but to those that have it; what fails is logged, for a later try."""


class IncidentBook(Protocol):
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
        """Open the closed incident of `generation` again, if it had no queue and nothing has tripped since."""

    def widen(self, account_sid: str, generation: int, scope: Scope) -> bool:
        """Let the open incident be about more calls than before; False if it is over."""

    def start_drain(self, account_sid: str, generation: int, owner: str, mode: Mode) -> bool:
        """Take the drain's lease for `owner`; False if another holds it or there is nothing to drain.

        With `Mode.OBSERVE` the incident only observes from now on.
        """

    def keep_drain(self, account_sid: str, generation: int, owner: str) -> bool:
        """Renew the lease; False if it was lost, the guard paused, or the incident is over."""

    def change_mode(self, account_sid: str, generation: int, mode: Mode) -> bool:
        """Let the open incident go by another mode; False if it has that already, or is over."""

    def unobserve(self, account_sid: str, generation: int) -> int:
        """Count the calls that are still queued no longer as observed, but as to be cancelled; return how many."""

    def settle_all(
        self, account_sid: str, generation: int, outcomes: Sequence[tuple[str, Outcome]], now_ms: int
    ) -> bool:
        """Record what became of calls, each once, and read the kill switch.

        False if the guard is paused, or the drain of `generation` is over; asked with no outcomes too."""

    def concurrency(self, account_sid: str) -> float | None:
        """Return how many requests at once Twilio last bore, for whoever drains next; None if it is not known."""

    def note_concurrency(self, account_sid: str, limit: float) -> None:
        """Keep how many requests at once Twilio bears now."""

    def yield_drain(self, account_sid: str, owner: str) -> None:
        """Give the lease back with the drain unfinished."""

    def finish_drain(self, account_sid: str, generation: int, owner: str, now_ms: int, *, capped: bool) -> bool:
        """Go to cooling; False if calls have come in again (unless `capped`, or only observing)."""

    def continue_drain(
        self, account_sid: str, generation: int, now_ms: int = 0, *, by: str = "", reason: str = ""
    ) -> bool:
        """Let a drain that has stopped at its cap go on, for as many cancellations again; False if it has not."""

    def reopen(self, account_sid: str, generation: int) -> bool:
        """Go back from cooling to draining, since calls are queued again."""

    def rearm(
        self, account_sid: str, generation: int, reason: str, now_ms: int, *, force: bool, by: str = ""
    ) -> bool:
        """Close the incident and arm the guard: from cooling, or from any open state with `force`.

        `by` is the person who wants it so; it is then also an end of any doubt of what was decided.
        """

    def pause(self, account_sid: str, reason: str, now_ms: int, *, by: str = "", until_ms: int = 0) -> None:
        """Stop all tripping and cancelling for the account until `resume`.

        At `until_ms` the watcher resumes; 0 for never.
        """

    def resume(
        self, account_sid: str, now_ms: int = 0, *, by: str = "", reason: str = "", since_ms: int = 0
    ) -> bool:
        """Undo `pause`, or only the one that began at `since_ms`; return whether the guard was held back."""

    def has_lease(self, account_sid: str) -> bool:
        """Return whether a drain is alive."""

    def current(self, account_sid: str) -> Incident | None:
        """Return the open incident."""

    def recent(self, account_sid: str, count: int) -> list[Incident]:
        """Return the newest closed incidents."""


@dataclass(frozen=True, slots=True)
class ListedPage:
    """A page of Twilio's list, and whether no other follows."""

    calls: list[ListedCall]
    is_last: bool


class CancelReply(Enum):
    """What Twilio's reply means for the call. The last two are queued, and only a look at the call tells them."""

    CANCELLED = "cancelled"
    DIALLED = "dialled"
    GONE = "gone"
    STILL_QUEUED = "still queued"
    EMERGENCY = "to an emergency number"
    OTHER_CALL = "not made by an API request"


class QueuedCalls(Protocol):
    """Twilio's list of queued calls, for somebody who waits for it."""

    def queued_patiently(
        self, account_sid: str, selection: Selection, rest: Callable[[float, str], None]
    ) -> Iterator[ListedPage]:
        """Yield pages that may be narrowed to the selection; it is to be checked in any case.

        A page that was not served is asked for again, a few times; `rest` is told how many seconds to wait, and
        why. May raise `TwilioUnavailable`, `TwilioThrottled` or `TwilioRefused`.
        """


class Telephony(Protocol):
    """Twilio's Calls resource.

    Every method may raise `TwilioUnavailable`, `TwilioThrottled` or `TwilioRefused`.
    """

    def queued_calls(self, account_sid: str) -> Iterator[ListedPage]:
        """Yield the account's queued calls, a page at a time, in whatever order Twilio has."""

    def cancel(self, account_sid: str, call_sid: str) -> CancelReply:
        """Send `Status=canceled` and read the status in the reply. Never sends `completed`."""

    def look_up(self, account_sid: str, call_sid: str) -> CancelReply:
        """Fetch the call and say what has become of it."""


class CallCanceller(Protocol):
    """Twilio's Calls resource for a sweep: many requests at once, on one event loop.

    Both methods may raise `TwilioUnavailable`, `TwilioThrottled` or `TwilioRefused`.
    """

    async def cancel(self, account_sid: str, call_sid: str) -> CancelReply:
        """Send `Status=canceled` and read the status in the reply. Never sends `completed`."""

    async def look_up(self, account_sid: str, call_sid: str) -> CancelReply:
        """Fetch the call and say what has become of it."""


class SweepLedger(Protocol):
    """Where a sweep takes its calls from, and keeps what became of them. Both may raise `StoreUnavailable`."""

    def head(self, count: int) -> Sequence[str]:
        """Return the oldest `count` calls that are not settled, oldest first."""

    def settle(self, outcomes: Sequence[tuple[str, Outcome]]) -> bool:
        """Record what became of calls, each once; return whether cancelling may go on.

        Asked with nothing to record too, before requests are sent.
        """


class LiveReply(Enum):
    """What Twilio's reply to a request about a live call means."""

    DONE = "done"
    OVER = "over"
    UNKNOWN = "unknown"


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


class Claim(Enum):
    """Whether a live call may be acted on now."""

    YOURS = "yours"
    LAST = "last"
    STOPPED = "stopped"
    WAITING = "waiting"
    KNOWN = "known"
    ANNOUNCED = "announced"
    UNHEARD = "unheard"


class LiveCallBook(Protocol):
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


class HoldBoard(Protocol):
    """How many callers are on hold, as last read."""

    def show(self, account_sid: str, sizes: Mapping[str, int]) -> None:
        """Put up the size of each hold queue by name, in the place of all others."""

    def shown(self, account_sid: str) -> Mapping[str, int]:
        """Return the sizes; none where they were not read lately."""


class Clearing(SweepLedger, Protocol):
    """The calls that a person has cancelled by hand, kept so that it can be broken off and go on."""

    def add(self, calls: Sequence[FoundCall], *, again: Collection[Outcome] = ()) -> Added:
        """Add calls that a list shows; those whose outcome is among `again` are to be tried again."""

    def known(self) -> set[str]:
        """Return the SIDs of all calls that were found."""

    def account(self) -> ClearingAccount:
        """Return how many calls were found and what has become of them."""


class DrainQueue(Protocol):
    """The wake-up for cancel workers."""

    def wake(self, account_sid: str, generation: int) -> bool:
        """Ask for a drain, best effort; False (logged) if that failed: the watcher will see to it."""

    def others_wait(self, account_sid: str) -> bool:
        """Return whether wake-ups for other accounts are waiting for a worker; False if that cannot be told."""


@dataclass(frozen=True, slots=True)
class AccountReading:
    """What the metrics show of an account: its snapshot, counters since ever, and rates per second.

    `hold_queues` has how many callers are on hold, by the queue's name; `outages` since when each goes on.
    """

    snapshot: Snapshot
    state: State
    totals: Mapping[str, float]
    queued_rate: float
    initiated_rate: float
    cancelled_rate: float = 0.0
    hold_queues: Mapping[str, int] = field(default_factory=dict)
    outages: Mapping[Outage, int] = field(default_factory=dict)


class Readings(Protocol):
    """What is shown to people and to Prometheus."""

    def read(self, account_sid: str, policy: Policy, now_ms: int) -> AccountReading:
        """Read one account."""

    def read_each(self, policies: Mapping[str, Policy], now_ms: int) -> Mapping[str, AccountReading]:
        """Read each account of `policies`, all in a few round trips."""

    def watched(self, policies: Mapping[str, Policy], now_ms: int) -> Sequence[Watched]:
        """Read only what tells whether each account is guarded, all in one round trip."""


@dataclass(frozen=True, slots=True)
class OutboxFacts:
    """How many notices had a result, since ever, and when the oldest that waits was posted (Unix ms; 0: none)."""

    totals: Mapping[str, int]
    oldest_ms: int


class OutboxReadings(Protocol):
    """What is shown of the outbox."""

    def facts(self) -> OutboxFacts:
        """Read it. May raise `StoreUnavailable`."""


class ApiRefusals(Protocol):
    """How often somebody was not let in, by reason. Both may raise `StoreUnavailable`."""

    def add(self, counts: Mapping[str, int]) -> None:
        """Count more of them."""

    def totals(self) -> Mapping[str, int]:
        """Return how many there were."""


class JobCounts(Protocol):
    """The jobs that wait, run and have failed."""

    def counts(self) -> Mapping[str, int]:
        """Return jobs by state: `queued`, `started`, `failed`."""


@dataclass(frozen=True, slots=True)
class StateLost:
    """A loss of what the store held of an account, which was noticed and made good as far as it is remembered.

    Attributes:
        account_sid: whose state it was.
        was_emptied: nothing was left; else it lacked the latest decisions.
        is_unknown: nobody remembers what was decided, so that the guard observes until a person speaks.
        doubt: why it is not known; empty where it is.
        restored: what holds now, in words.
        at_ms: when it was noticed.
    """

    account_sid: str
    was_emptied: bool
    is_unknown: bool
    doubt: str
    restored: str
    at_ms: int


class Decisions(Protocol):
    """What people have decided, remembered beside the store."""

    def check(self, snapshot: Snapshot, account_sid: str) -> bool:
        """Make good what the store has lost; return whether the snapshot has to be read anew."""


class Heartbeats(Protocol):
    """Signs of life of the processes."""

    def beat(self, process: str, now_ms: int) -> None:
        """Note that `process` (of a closed set) is alive."""

    def ages(self, now_ms: int) -> Mapping[str, float]:
        """Return the seconds since each process' last beat."""


class Presence(Heartbeats, Protocol):
    """Who lives, and what each tells of itself."""

    def prove_writable(self) -> None:
        """Write something; raise `StoreUnavailable` where a callback could not be written either."""

    def ages_if_writable(self, now_ms: int) -> Mapping[str, float]:
        """Do both `prove_writable` and `ages` at the cost of one."""

    def processes(self, now_ms: int) -> Sequence[RunningProcess]:
        """Return the processes that live."""


@dataclass(frozen=True, slots=True)
class HeldAccounts:
    """The accounts that a watcher has, and how many of them it should give back, as others have too few."""

    accounts: frozenset[str]
    surplus: int


class AccountLeases(Protocol):
    """Which watcher looks after which account. Every method may raise `StoreUnavailable`."""

    def hold(self, owner: str, accounts: Sequence[str], give_back: Collection[str] = ()) -> HeldAccounts:
        """Keep those of `accounts` that `owner` has, less `give_back`; take those that nobody has.

        An account has one watcher at a time. One that has not called for two seconds and a half has none.
        """

    def give_up(self, owner: str) -> None:
        """Let others have all accounts of `owner` at once."""


class News(Protocol):
    """Accounts that a watcher should look at before their time. A word that is lost only makes it later."""

    def tell(self, account_sid: str) -> None:
        """Say that something has changed. May raise `StoreUnavailable`."""

    def fresh(self) -> Sequence[str]:
        """Return the accounts of which that was said since the last call. May raise `StoreUnavailable`."""
