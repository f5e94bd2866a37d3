"""What `/twilio/apology` and `/twilio/agent` need from the rest of CallGuard."""

from collections.abc import Mapping
from typing import Protocol

from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.web.twilio.callback_services import Headers


class PathAuthenticator(Protocol):
    """Checks signatures of requests to a path. `callguard.telephony.signature` says how."""

    def verify_form(
        self, account_sid: str | None, raw_query: str, fields_text: str, headers: Headers, path: str
    ) -> bool:
        """Return whether the account has signed a POST."""

    def verify_query(self, account_sid: str | None, raw_query: str, headers: Headers, path: str) -> bool:
        """Return whether the account has signed a GET."""


class TwimlServices(Protocol):
    """What the routes need."""

    @property
    def authenticator(self) -> PathAuthenticator:
        """Who checks signatures."""

    @property
    def accounts(self) -> Mapping[str, Account]:
        """The guarded accounts by SID."""

    @property
    def clock(self) -> Clock:
        """The time."""

    def leave_alone(self, account_sid: str, call_sid: str) -> None:
        """Never touch a live call. May raise `StoreUnavailable`."""
