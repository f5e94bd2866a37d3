"""What a status callback says, once its signature is known to be good.

Twilio signs the fields' names and values in one string without delimiters. So an attacker who has seen one signed
request can move the borders between its fields, and the signature still fits. Nothing is believed here that could
be read from the same string in another way: the meaning of a callback is read from that string alone
(`callback_fields`), and the fields must say the same. Ignored callbacks need no such care: they change nothing.
"""

import re
from collections.abc import Collection, Mapping
from enum import Enum
from operator import itemgetter

from callguard.domain.calls import OUTBOUND_API, CallEvent, CallStatus
from callguard.domain.parties import PartyHasher
from callguard.errors import CallGuardError
from callguard.web.moments import STALE_MS, Stale, counted_ms, unix_ms
from callguard.web.twilio.callback_fields import (
    IN_SIGNED_TEXT,
    OTHER_KINDS,
    PATTERNS,
    PLACES,
    PREFIX_FREE,
    REQUIRED,
    code_of,
)

_MATCHES = {
    name: (
        re.compile(pattern).fullmatch,
        "unknown_call_status" if name == "CallStatus" else code_of("bad", name),
    )
    for name, pattern in PATTERNS.items()
}
_USUAL = (*REQUIRED, "Direction")
_USUAL_NAMES = frozenset(_USUAL)
_usual_values = itemgetter(*_USUAL)
_are_well_formed = re.compile("\n".join(f"(?:{PATTERNS[name]})" for name in _USUAL)).fullmatch
_MISSING = {name: code_of("missing", name) for name in REQUIRED}
_OCCURRENCES = tuple(
    (name, pattern.findall, PLACES.get(name), name in PREFIX_FREE, code_of("ambiguous", name))
    for name, pattern in IN_SIGNED_TEXT.items()
)
_DIRECTION = _MATCHES["Direction"][0]
_STATUSES = {status.value: status for status in CallStatus}


class Ignored(Enum):
    """A true callback that must not count, and why."""

    OTHER_DIRECTION = "other_direction"
    CHILD_CALL = "child_call"
    OTHER_KIND = "other_kind"
    """It is about a recording, an answering machine, a stream: no news of a call's progress."""


class MalformedCallback(CallGuardError):
    """A signed callback that cannot be relied on. `code` is short, and holds nothing of the request."""

    def __init__(self, code: str) -> None:
        """Keep the code, such as `bad_call_sid`."""
        super().__init__(code)
        self.code = code


def parse_callback(
    fields: Mapping[str, str],
    received_ms: int,
    hasher: PartyHasher,
    *,
    signed_text: str | None,
    stale_ms: int = STALE_MS,
    repeated: Collection[str] = (),
) -> CallEvent | Ignored | Stale:
    """Return the news that a callback brings.

    `received_ms` (Unix time) is when it came; `counted_ms` says which news is stale.
    Calls that no API request has made (inbound ones, legs of a `<Dial>`, trunks) never wait in the rate queue
    (https://www.twilio.com/docs/glossary/what-is-cps), so they are ignored, whatever else they hold. `signed_text`
    is the fields as they are signed; None for a GET, whose signature covers the `&` and `=` between its fields.
    `repeated` are the names that came more than once.

    Raises:
        MalformedCallback: `missing_…`, `bad_…`, `ambiguous_…` and the name of a field in snake case, or
            `unknown_call_status`, or `duplicate_field`: the validator signs a set of values, so it cannot tell
            `a=1&a=1` from `a=1`, and we could not tell which value is meant.
    """
    irrelevant = _irrelevant(fields, repeated)
    if irrelevant is not None:
        return irrelevant
    if any(name in PATTERNS for name in repeated):
        raise MalformedCallback("duplicate_field")
    _check_shapes(fields)
    if not (fields["From"] and fields["To"]):
        raise MalformedCallback("missing_from" if not fields["From"] else "missing_to")
    if signed_text is not None:
        _check_borders(fields, signed_text)
    at_ms = counted_ms(_sent_ms(fields["Timestamp"]), received_ms, stale_ms)
    if isinstance(at_ms, Stale):
        return at_ms
    return hasher.of(fields["From"], fields["To"]).event(fields["CallSid"], _STATUSES[fields["CallStatus"]], at_ms)


def _irrelevant(fields: Mapping[str, str], repeated: Collection[str]) -> Ignored | None:
    """Return why the guard ignores a callback; None if it may matter."""
    direction, parent = fields.get("Direction", OUTBOUND_API), fields.get("ParentCallSid")
    if direction != OUTBOUND_API and "Direction" not in repeated and _DIRECTION(direction):
        return Ignored.OTHER_DIRECTION
    if parent and "ParentCallSid" not in repeated and _MATCHES["ParentCallSid"][0](parent):
        return Ignored.CHILD_CALL
    if "CallStatus" not in fields:
        return Ignored.OTHER_KIND
    if "Timestamp" not in fields and any(name in fields for name in OTHER_KINDS):
        return Ignored.OTHER_KIND
    return None


def _check_shapes(fields: Mapping[str, str]) -> None:
    if _are_usual(fields):
        return
    for name in REQUIRED:
        if name not in fields:
            raise MalformedCallback(_MISSING[name])
    for name, (match, code) in _MATCHES.items():
        if name in fields and not match(fields[name]):
            raise MalformedCallback(code)


def _are_usual(fields: Mapping[str, str]) -> bool:
    """Return whether the fields are those of most callbacks, and well-formed: one match for all halves the cost.

    No pattern matches a line break, so none can join two values into one.
    """
    if "ParentCallSid" in fields or not fields.keys() >= _USUAL_NAMES:
        return False
    return _are_well_formed("\n".join(_usual_values(fields))) is not None


def _check_borders(fields: Mapping[str, str], signed_text: str) -> None:
    """Refuse fields that could be cut from the signed text in another way.

    Every field that decides something must occur in that text once, as it was read, and not at all if it was
    not sent. An address must also stand where the text has it, which is the only sign of a bare user name. As the
    text is the same for all ways to cut it, no two of them can count as different news.
    """
    for name, occurrences, place, is_prefix_free, code in _OCCURRENCES:
        value = fields.get(name)
        # If the name stands once, with the value behind it, a pattern can find nothing else.
        if value and is_prefix_free and signed_text.count(name) == 1 and f"{name}{value}" in signed_text:
            continue
        is_found = value and (place is None or place.is_plain(value))
        if occurrences(signed_text) != ([value] if is_found else []):
            raise MalformedCallback(code)
    for name, place in PLACES.items():
        if place.value_in(signed_text, fields) != fields[name]:
            raise MalformedCallback(code_of("ambiguous", name))


def _sent_ms(timestamp: str) -> int:
    try:
        return unix_ms(timestamp)
    except ValueError:
        raise MalformedCallback("bad_timestamp") from None
