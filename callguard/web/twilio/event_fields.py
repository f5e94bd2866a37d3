"""Reading the members of an event's JSON: of the right type, bounded, nothing guessed."""

import re
from collections.abc import Mapping
from typing import Any

from callguard.errors import CallGuardError
from callguard.web.moments import unix_ms
from callguard.web.twilio.callback_fields import PATTERNS

OTHER_ACCOUNT = "other_account"
"""The code of an event whose account is not the one that has signed."""

_MAX_CHARACTERS = 2048
_CONTROL = re.compile(r"[\x00-\x1f\x7f\ud800-\udfff]")
_RFC2822 = re.compile(PATTERNS["Timestamp"])
_ISO8601 = re.compile(r"[12][0-9]{3}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,9})?Z")


class MalformedEvent(CallGuardError):
    """A signed event that cannot be relied on. `code` is short, and holds nothing of the request."""

    def __init__(self, code: str) -> None:
        """Keep the code, such as `bad_call_sid`."""
        super().__init__(code)
        self.code = code


def object_in(parent: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    """Return a nested object, empty where there is none.

    Raises:
        MalformedEvent: `bad_…`, if it is anything else.
    """
    value = parent.get(name)
    if value is not None and not isinstance(value, dict):
        raise MalformedEvent(_bad(name))
    return value or {}


def text_in(parent: Mapping[str, Any], name: str, called: str = "") -> str:
    """Return a text, empty where there is none. `called` replaces its name in the code of a problem.

    Raises:
        MalformedEvent: `bad_…`, if it is no text, too long, or has characters that no text of Twilio's has.
    """
    value = parent.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or len(value) > _MAX_CHARACTERS or _CONTROL.search(value):
        raise MalformedEvent(_bad(called or name))
    return value


def _bad(name: str) -> str:
    """Return the short code for a field, whichever way its name is written."""
    return "bad_" + re.sub("(?<=[a-z])([A-Z])", r"_\1", name).lower()


def sent_ms(told: str) -> int:
    """Return the milliseconds of Unix time that a text in RFC 2822 or ISO 8601 means; events have both.

    Raises:
        MalformedEvent: `bad_timestamp`.
    """
    if not (_RFC2822.fullmatch(told) or _ISO8601.fullmatch(told)):
        raise MalformedEvent("bad_timestamp")
    try:
        return unix_ms(told)
    except ValueError:
        raise MalformedEvent("bad_timestamp") from None
