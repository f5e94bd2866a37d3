"""The Protocols of what the watcher and its tasks use."""

from collections.abc import Collection, Mapping, Sequence
from typing import Protocol

from callguard.domain.campaigns import Campaign
from callguard.domain.incidents import Incident
from callguard.domain.notices import Delivery, Notice
from callguard.domain.policy import Mode, Policy
from callguard.domain.processes import HeldAccounts
from callguard.domain.snapshot import Snapshot


class AccountLeases(Protocol):
    """Which watcher looks after which account. Every method may raise `StoreUnavailable`."""

    def hold(self, owner: str, accounts: Sequence[str], give_back: Collection[str] = ()) -> HeldAccounts:
        """Keep those of `accounts` that `owner` has, less `give_back`; take those that no watcher has.

        An account has one watcher at a time. A watcher that has not called for 2.5 seconds loses its accounts.
        """

    def give_up(self, owner: str) -> None:
        """Let others have all accounts of `owner` at once."""


class CallTracker(Protocol):
    """The calls of every account: the queue mirror, the buckets, the horizon. Each method is atomic."""

    def snapshot(self, account_sid: str, now_ms: int) -> Snapshot:
        """Return what is known of the account."""

    def queued_since(self, account_sid: str, seconds: int, now_ms: int) -> int:
        """Return how many calls entered the queue in the last `seconds` (at most 900)."""

    def prune_senders(self, account_sid: str, policy: Policy, now_ms: int) -> None:
        """Forget the From numbers whose calls have leaked away."""


class Campaigns(Protocol):
    """The announced campaigns of every account."""

    def campaigns(self, account_sid: str) -> list[Campaign]:
        """Return the campaigns of the last 30 days, the latest first."""

    def end_campaign(self, account_sid: str, campaign_id: str, now_ms: int) -> Campaign | None:
        """End a campaign and return it as it ended, now or before; None if there is no such campaign."""


class Decisions(Protocol):
    """What people have decided, remembered beside the store."""

    def check(self, snapshot: Snapshot, account_sid: str) -> bool:
        """Restore what the store has lost; return whether the snapshot has to be read again."""


class DrainQueue(Protocol):
    """The wake-up for cancel workers."""

    def wake(self, account_sid: str, generation: int) -> bool:
        """Ask for a drain, best effort; False (logged) if that failed: then the watcher asks again."""


class Heartbeats(Protocol):
    """Signs of life of the processes."""

    def beat(self, process: str, now_ms: int) -> None:
        """Note that `process` (of a closed set) is alive."""

    def ages(self, now_ms: int) -> Mapping[str, float]:
        """Return the seconds since each process' last beat."""


class IncidentStore(Protocol):
    """Trips, drains and their outcomes. Each method is one compare-and-set."""

    def change_mode(self, account_sid: str, generation: int, mode: Mode) -> bool:
        """Change the mode of the open incident; False if it has that mode already, or is over."""

    def reopen(self, account_sid: str, generation: int) -> bool:
        """Go back from cooling to draining, since calls are queued again."""

    def rearm(
        self, account_sid: str, generation: int, reason: str, now_ms: int, *, force: bool, by: str = ""
    ) -> bool:
        """Close the incident and arm the guard: from cooling, or from any open state with `force`.

        `by` is the person who asks for it. With a person, doubt about lost decisions ends too.
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


class Notices(Protocol):
    """The outbox: notices wait in Redis until they are delivered. Nothing is lost while a receiver is away."""

    def post(self, notice: Notice, *, once: str = "", every_seconds: int = 0) -> bool:
        """Put a notice into the outbox.

        With `once`, a second notice with the same words for `once` within `every_seconds` is dropped; False then.
        """


class Notifier(Protocol):
    """The way to people."""

    def deliver(self, notice: Notice, taken_by: Collection[str] = ()) -> Delivery:
        """Offer a notice to the receivers that do not have it; a failure is logged, for a later try."""
