"""Labels under which requests that bring news to the guard are counted."""

from enum import Enum


class CallbackResult(Enum):
    """What became of a callback, as `callguard_callbacks_total` counts it.

    The store itself counts the accepted ones and duplicates. `other_kind`: about a recording, an answering machine
    or a stream. `wrong_url`: signed by Twilio for another path or query. `not_found`: another path below
    `/twilio/`.
    """

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    OTHER_KIND = "other_kind"
    STALE = "stale"
    FORBIDDEN = "forbidden"
    WRONG_URL = "wrong_url"
    NOT_FOUND = "not_found"
    MALFORMED = "malformed"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    UNAVAILABLE = "unavailable"


class ReportSource(Enum):
    """Who reports created calls."""

    CLIENT = "client"
    EVENT_STREAMS = "event_streams"


class ReportResult(Enum):
    """What became of reported calls, as `callguard_reports_total` counts it.

    Accepted ones, duplicates and `unknown` ones, which Twilio does not know, are counted by the call, the others
    once for a request.
    """

    ACCEPTED = "accepted"
    DUPLICATE = "duplicate"
    IGNORED = "ignored"
    STALE = "stale"
    MALFORMED = "malformed"
    OTHER_ACCOUNT = "other_account"
    TOO_LARGE = "too_large"
    UNSUPPORTED_MEDIA_TYPE = "unsupported_media_type"
    UNAVAILABLE = "unavailable"
    UNKNOWN = "unknown"


class ApiRefusal(Enum):
    """Why somebody was not let into `/api` or `/metrics`, as `callguard_api_refused_total` counts it."""

    NO_KEY = "no_key"
    WRONG_KEY = "wrong_key"
    WRONG_ROLE = "wrong_role"
    NOT_LOCAL = "not_local"


class NoticeResult(Enum):
    """What became of a notice, as `callguard_notices_total` counts it. One notice may have many failed tries."""

    DELIVERED = "delivered"
    FAILED = "failed"
    GIVEN_UP = "given_up"
    DROPPED = "dropped"
