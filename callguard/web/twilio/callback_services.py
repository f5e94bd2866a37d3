"""What `/twilio/status` needs from the rest of CallGuard."""

from collections.abc import Mapping
from typing import Protocol

from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent
from callguard.telephony.signed_urls import Arrival


class Headers(Protocol):
    """Request headers."""

    def get(self, name: str, /) -> str | None:
        """Return a header's value, None where it is missing."""


class Authenticator(Protocol):
    """Checks signatures. `callguard.telephony.signature` says how."""

    def verify_form(self, account_sid: str | None, raw_query: str, fields_text: str, headers: Headers) -> bool:
        """Return whether the account has signed a POST."""

    def verify_query(self, account_sid: str | None, raw_query: str, headers: Headers) -> bool:
        """Return whether the account has signed a GET."""

    @property
    def public_url(self) -> str:
        """The configured URL."""

    def signed_elsewhere(
        self, account_sid: str | None, arrival: Arrival, fields_text: str | None, headers: Headers
    ) -> str | None:
        """Return the other URL that the account has signed, None if it has signed none."""


class CallbackServices(Protocol):
    """What the route needs."""

    @property
    def authenticator(self) -> Authenticator:
        """Who checks signatures."""

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The guarded accounts by SID."""

    @property
    def clock(self) -> Clock:
        """The time."""

    def take_callback(self, account: Account, event: CallEvent) -> object:
        """Count the event and act on it. May raise `StoreUnavailable`."""

    def refuse(self, account_sid: str, result: str) -> None:
        """Count a callback that was not taken. May raise `StoreUnavailable`."""

    def tell_dropped(self, account_sid: str, what: str, text: str) -> None:
        """Tell people that news was dropped, once an hour for each `what`. May raise `StoreUnavailable`."""
