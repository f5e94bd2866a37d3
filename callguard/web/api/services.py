"""What `/api` needs from the rest of CallGuard."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from callguard.config.accounts import Account
from callguard.config.keys import ApiKey
from callguard.domain.accounts import Snapshot
from callguard.domain.calls import CallEvent
from callguard.guard.named_cancel import NamedCancel
from callguard.ports import Campaigns, Clock, IncidentBook, Notices, Readings


class Snapshots(Protocol):
    """The part of `CallTracker` that the gate asks."""

    def snapshot(self, account_sid: str, now_ms: int) -> Snapshot:
        """Return what is known of the account, in one read. May raise `StoreUnavailable`."""


class ApiServices(Protocol):
    """What the routes need."""

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The guarded accounts by SID."""

    @property
    def api_keys(self) -> Sequence[ApiKey]:
        """The keys that open the API; without any it answers loopback clients, where the guard is not public."""

    @property
    def public_url(self) -> str:
        """Where Twilio reaches the guard."""

    @property
    def clock(self) -> Clock:
        """The time."""

    @property
    def readings(self) -> Readings:
        """What is shown of accounts."""

    @property
    def tracker(self) -> Snapshots:
        """What is known of accounts."""

    @property
    def incidents(self) -> IncidentBook:
        """Trips, drains and their outcomes."""

    @property
    def campaigns(self) -> Campaigns:
        """The announced campaigns."""

    @property
    def notices(self) -> Notices:
        """The outbox: people hear of campaigns, however they were announced."""

    @property
    def named_cancel(self) -> NamedCancel:
        """Cancels the one call that a person names."""

    def take_report(self, account: Account, events: Sequence[CallEvent], source: str) -> int:
        """Count the events and act on them; return how many were news. May raise `StoreUnavailable`."""

    def refuse_report(self, account_sid: str, source: str, result: str) -> None:
        """Count a report that was not taken. May raise `StoreUnavailable`."""
