"""What `/twilio/events` needs from the rest of CallGuard."""

from collections.abc import Mapping, Sequence
from typing import Protocol

from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent
from callguard.telephony.signed_urls import Arrival
from callguard.web.twilio.callback_services import Headers


class EventAuthenticator(Protocol):
    """Checks signatures. `callguard.telephony.signature` says how."""

    def json_signer(self, raw_query: str, headers: Headers) -> str | None:
        """Return the SID of the account that has signed the URL; the body is not looked at."""

    def json_signed_elsewhere(self, arrival: Arrival, headers: Headers) -> str | None:
        """Return the other URL that an account has signed, None if none has."""

    def verify_json(self, raw_query: str, body: bytes, headers: Headers) -> str | None:
        """Return the SID of the account that has signed the URL and the body."""


class EventServices(Protocol):
    """What the route needs."""

    @property
    def authenticator(self) -> EventAuthenticator:
        """Who checks signatures."""

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The guarded accounts by SID."""

    @property
    def clock(self) -> Clock:
        """The time."""

    def take_report(self, account: Account, events: Sequence[CallEvent], source: str) -> int:
        """Count the events, oldest first, and act on them; return how many were news.

        May raise `StoreUnavailable`.
        """

    def refuse_report(self, account_sid: str, source: str, result: str) -> None:
        """Count a report that was not taken. May raise `StoreUnavailable`."""

    def tell_dropped(self, account_sid: str, what: str, text: str) -> None:
        """Tell people that news was dropped, once an hour for each `what`. May raise `StoreUnavailable`."""
