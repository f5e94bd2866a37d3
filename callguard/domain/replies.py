"""What Twilio's replies mean for a call."""

from enum import Enum


class CancelReply(Enum):
    """What Twilio's reply means for the call. The last two are queued, and only fetching the call tells which."""

    CANCELLED = "cancelled"
    DIALLED = "dialled"
    GONE = "gone"
    STILL_QUEUED = "still queued"
    EMERGENCY = "to an emergency number"
    OTHER_CALL = "not made by an API request"


class LiveReply(Enum):
    """What Twilio's reply to a request about a live call means."""

    DONE = "done"
    OVER = "over"
    UNKNOWN = "unknown"
