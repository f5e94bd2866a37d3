"""Notices: what people should hear of; and the outages of Twilio's that they tell of."""

from dataclasses import dataclass
from enum import Enum

EVERY_ACCOUNT = "ALL"
"""Stands for an account's SID in a notice that concerns all of them."""


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


@dataclass(frozen=True, slots=True)
class Delivery:
    """What came of a try: which receivers have the notice by now, and whether all do that should."""

    is_complete: bool
    taken_by: frozenset[str] = frozenset()


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
