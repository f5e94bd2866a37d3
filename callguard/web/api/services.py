"""What `/api` needs from the rest of CallGuard."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from callguard.cancel.single_cancel import SingleCancel
from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.config.api_keys import ApiKey
from callguard.detect.needs import Notices
from callguard.domain.calls import CallEvent
from callguard.domain.snapshot import Snapshot
from callguard.store.campaigns import RedisCampaigns
from callguard.store.incidents import RedisIncidentStore
from callguard.store.readings import RedisReadings


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
    def readings(self) -> RedisReadings:
        """What is shown of accounts."""

    @property
    def tracker(self) -> Snapshots:
        """What is known of accounts."""

    @property
    def incidents(self) -> RedisIncidentStore:
        """Trips, drains and their outcomes."""

    @property
    def campaigns(self) -> RedisCampaigns:
        """The announced campaigns."""

    @property
    def notices(self) -> Notices:
        """The outbox: people hear of campaigns, however they were announced."""

    @property
    def single_cancel(self) -> SingleCancel:
        """Cancels the one call that a person names."""

    def take_report(self, account: Account, events: Sequence[CallEvent], source: str) -> int:
        """Count the events and act on them; return how many were news. May raise `StoreUnavailable`."""

    def refuse_report(self, account_sid: str, source: str, result: str) -> None:
        """Count a report that was not taken. May raise `StoreUnavailable`."""
