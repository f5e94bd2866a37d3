"""What a status callback says, once its signature is known to be good.

Twilio signs the fields' names and values in one string without delimiters. So whoever has seen one signed request
can move the borders between its fields, and the signature still fits. Nothing is believed here that could be
read from the same string in another way.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC
from email.utils import parsedate_to_datetime
from enum import Enum
from functools import lru_cache

from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.parties import PartyMarks
from callguard.ports import CallGuardError
from callguard.web.callback_fields import (
    IN_SIGNED_TEXT,
    MOST_UNKNOWN_CHARACTERS,
    PATTERNS,
    REQUIRED,
    UNKNOWN_NAME,
    code_of,
)
from callguard.web.form import Form

STALE_MS = 6 * 3_600_000
"""As long as the store remembers calls that have ended: older news could count twice."""

MOST_AHEAD_MS = 15 * 60_000
"""More than clocks differ, and little enough for a replay to be remembered as one."""

FRESH_MS = 2_000
"""A `Timestamp` has whole seconds; below this the arrival tells more of the order of calls."""

_MATCHES = {
    name: (
        re.compile(pattern).fullmatch,
        "unknown_call_status" if name == "CallStatus" else code_of("bad", name),
    )
    for name, pattern in PATTERNS.items()
}
_MISSING = {name: code_of("missing", name) for name in REQUIRED}
_OCCURRENCES = tuple(
    (name, pattern.findall, code_of("ambiguous", name)) for name, pattern in IN_SIGNED_TEXT.items()
)
_STATUSES = {status.value: status for status in CallStatus}
_COUNTED_DIRECTION = "outbound-api"


class Ignored(Enum):
    """A true callback that must not count, and why."""

    OTHER_DIRECTION = "other_direction"
    CHILD_CALL = "child_call"


@dataclass(frozen=True, slots=True)
class Stale:
    """True news that must not count, since its time cannot be right; `ahead_ms` of our clock, or behind it."""

    ahead_ms: int
    value = "stale"


class MalformedCallback(CallGuardError):
    """A signed callback that cannot be relied on. `code` is short, and holds nothing of the request."""

    def __init__(self, code: str) -> None:
        """Keep the code, such as `bad_call_sid`."""
        super().__init__(code)
        self.code = code


def once_each(form: Form) -> Form:
    """Return the form, in which each name comes once.

    Raises:
        MalformedCallback: `duplicate_field`. The validator signs a set of values, so it cannot tell `a=1&a=1`
            from `a=1`, and we could not tell which value is meant.
    """
    if form.has_repeated_names:
        raise MalformedCallback("duplicate_field")
    return form


def parse_callback(
    fields: Mapping[str, str],
    received_ms: int,
    marks: PartyMarks,
    *,
    signed_text: str | None,
    stale_ms: int = STALE_MS,
) -> CallEvent | Ignored | Stale:
    """Return the news that a callback brings.

    `received_ms` (Unix time) is when it came; news that is `stale_ms` older, or `MOST_AHEAD_MS` ahead, is stale.
    Calls that no API request has made (inbound ones, legs of a `<Dial>`, trunks) never wait in the rate queue
    (https://www.twilio.com/docs/glossary/what-is-cps), so they are ignored. `signed_text` is the fields as they
    are signed; None for a GET, whose signature covers the `&` and `=` between its fields.

    Raises:
        MalformedCallback: `missing_…`, `bad_…`, `ambiguous_…` and the name of a field in snake case, or
            `unknown_call_status`, or `bad_field` for one that is not known.
    """
    _check_shapes(fields)
    if signed_text is not None:
        _check_borders(fields, signed_text)
    if fields.get("ParentCallSid"):
        return Ignored.CHILD_CALL
    if fields.get("Direction", _COUNTED_DIRECTION) != _COUNTED_DIRECTION:
        return Ignored.OTHER_DIRECTION
    if not (fields["From"] and fields["To"]):
        raise MalformedCallback("missing_from" if not fields["From"] else "missing_to")
    sent_ms = _unix_ms(fields["Timestamp"])
    if received_ms - sent_ms > stale_ms or sent_ms - received_ms > MOST_AHEAD_MS:
        return Stale(sent_ms - received_ms)
    status = _STATUSES[fields["CallStatus"]]
    parties = marks.of(fields["From"], fields["To"])
    return CallEvent(
        fields["CallSid"],
        status,
        # News that comes late, perhaps many at once, is news of its own time.
        sent_ms if received_ms - sent_ms > FRESH_MS else received_ms,
        parties.spared,
        parties.sender,
        parties.sender_shown,
        parties.destination,
    )


def _check_shapes(fields: Mapping[str, str]) -> None:
    for name in REQUIRED:
        if name not in fields:
            raise MalformedCallback(_MISSING[name])
    for name, value in fields.items():
        match, code = _MATCHES.get(name, (None, ""))
        if match is None:
            if len(value) > MOST_UNKNOWN_CHARACTERS or not UNKNOWN_NAME.fullmatch(name):
                raise MalformedCallback("bad_field")
        elif not match(value):
            raise MalformedCallback(code)


def _check_borders(fields: Mapping[str, str], signed_text: str) -> None:
    """Refuse fields that could be cut from the signed text in another way.

    Every field that decides something must occur in that text once, as it was read, and not at all if it was
    not sent. As the text is the same for all ways to cut it, no two of them can be taken for different news.
    """
    for name, occurrences, code in _OCCURRENCES:
        value = fields.get(name)
        if occurrences(signed_text) != ([value] if value else []):
            raise MalformedCallback(code)


@lru_cache(maxsize=256)  # During a spike many callbacks are of the same second.
def _unix_ms(timestamp: str) -> int:
    try:
        moment = parsedate_to_datetime(timestamp)
    except ValueError:
        raise MalformedCallback("bad_timestamp") from None
    # RFC 2822 writes -0000 for UTC at an unknown place, which Python reads as no zone.
    return int((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() * 1000)
