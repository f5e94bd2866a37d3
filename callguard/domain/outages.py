"""What Twilio may fail to do for the guard."""

from enum import Enum


class Outage(Enum):
    """What Twilio fails to do: list queued calls; or it refuses our credentials for that, or for cancels."""

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
