"""The fields of a status callback that decide something, each with the pattern that its value must match.

No other field is read: Twilio adds and changes fields without notice.
Sources: https://www.twilio.com/docs/voice/api/call-resource#statuscallback,
https://www.twilio.com/docs/voice/twiml#request-parameters
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from callguard.domain.addresses import ADDRESS, DIGITS, E164, SCHEMES, SHOWN, WORDS
from callguard.domain.calls import CallStatus

REQUIRED = ("AccountSid", "CallSid", "CallStatus", "From", "SequenceNumber", "Timestamp", "To")

OTHER_KINDS = (
    *("ConferenceSid", "RecordingStatus", "SiprecSid", "StatusCallbackEvent", "StreamEvent", "StreamSid"),
    *("TranscriptionEvent", "TranscriptionStatus"),
)
"""Fields of callbacks that are about something else than a call's progress, though they may name a CallStatus."""

_CALL_SID = r"CA[0-9a-fA-F]{32}"
_STATUS = "|".join(status.value for status in CallStatus)
_DIRECTION = "inbound|outbound-api|outbound-dial|trunking-originating|trunking-terminating"
_TIMESTAMP = (
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    r" [12][0-9]{3} [0-9]{2}:[0-9]{2}:[0-9]{2} (?:[+-][0-9]{4}|GMT|UTC)"
)

# Names that follow From and To in the signed text, where only they end an address such as `client:jane`.
_GEOGRAPHY = "City|Country|State|Zip"
_AFTER_FROM = (
    f"From(?:{_GEOGRAPHY})|MachineDetectionDuration|ParentCallSid|QueueTime"
    "|Recording(?:Sid|Url|Duration|Status|Source|Channels)|SequenceNumber"
)
_AFTER_TO = f"To(?:{_GEOGRAPHY})|TrunkSid"

PATTERNS = {
    "AccountSid": "AC[0-9a-f]{32}",
    "CallSid": _CALL_SID,
    "CallStatus": _STATUS,
    "Direction": _DIRECTION,
    "From": f"(?:{ADDRESS.pattern})?",
    "ParentCallSid": rf"(?:{_CALL_SID})?",
    "SequenceNumber": r"[0-9]{1,6}",
    "Timestamp": _TIMESTAMP,
    "To": f"(?:{ADDRESS.pattern})?",
}


def _plain(following: str) -> str:
    """Return the pattern of an address that shows its kind: no user name, though it may begin like `415jack`."""
    return (
        rf"(?:{E164}|(?:{DIGITS}|(?i:{WORDS}))(?!{_rest_of_user(following)})"
        rf"|(?i:{SCHEMES}):(?:(?!{following}){SHOWN})+)"
    )


def _bare(following: str) -> str:
    """Return the pattern of a user name."""
    return f"(?=[0-9A-Za-z_]){_rest_of_user(following)}"


def _rest_of_user(following: str) -> str:
    """A user name ends where a known field name follows, or where the text ends."""
    return rf"(?:(?!{following})[0-9A-Za-z_.+-])+(?=(?:{following})|\Z)"


IN_SIGNED_TEXT = {
    name: re.compile(pattern)
    for name, pattern in {
        "AccountSid": f"AccountSid({PATTERNS['AccountSid']})",
        "CallSid": f"CallSid(?<!ParentCallSid)({_CALL_SID})",
        "CallStatus": f"CallStatus({_STATUS})",
        "Direction": f"Direction({_DIRECTION})",
        "From": f"From(?<!ForwardedFrom)({_plain(_AFTER_FROM)})",
        "ParentCallSid": f"ParentCallSid({_CALL_SID})",
        "SequenceNumber": f"SequenceNumber({PATTERNS['SequenceNumber']})",
        "Timestamp": f"Timestamp({_TIMESTAMP})",
        "To": f"To({_plain(_AFTER_TO)})",
    }.items()
}
"""The fields that decide what a callback means, as they look within the text that is signed.

Each begins with its name, look-behinds after it: `re` skips to a literal prefix ten times as fast. An address that
is a bare user name has no mark of its kind: `PLACES` find it.
"""


PREFIX_FREE = ("AccountSid", "CallSid", "CallStatus", "Direction", "Timestamp")
"""Those of them of whose values none begins with another: what follows the name can be read in one way only."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where the signed text has an address.

    Names are sorted in the text. So after a field whose name sorts before From (or To), the first `From` that is
    not the beginning of another name is the field itself.

    Attributes:
        behind: fields that stand before it, the nearest first; the last of them is always there.
        name: finds the name.
        plain: an address with a mark of its kind, such as `+` or `sip:`.
        bare: a user name.
    """

    behind: tuple[str, ...]
    name: re.Pattern[str]
    plain: re.Pattern[str]
    bare: re.Pattern[str]

    def is_plain(self, value: str) -> bool:
        """Return whether the address has a mark of its kind, so that it is found wherever it stands."""
        return self.plain.fullmatch(value) is not None

    def value_in(self, signed_text: str, fields: Mapping[str, str]) -> str | None:
        """Return the address that the text has at this place; None if it has none, or could have two.

        The fields of `behind` have been found in the text once, with these values.
        """
        before = next(filter(fields.get, self.behind))
        before += fields[before]
        name = self.name.search(signed_text, signed_text.index(before) + len(before))
        if name is None:
            return None
        plain, bare = self.plain.match(signed_text, name.end()), self.bare.match(signed_text, name.end())
        if plain and bare and plain[0] != bare[0]:
            return None
        found = plain or bare
        return found[0] if found else None


PLACES = {
    "From": Place(
        ("Direction", "CallStatus"),
        re.compile(f"From(?<!ForwardedFrom)(?!{_GEOGRAPHY})"),
        re.compile(_plain(_AFTER_FROM)),
        re.compile(_bare(_AFTER_FROM)),
    ),
    "To": Place(
        ("Timestamp",),
        re.compile(f"To(?!{_GEOGRAPHY})"),
        re.compile(_plain(_AFTER_TO)),
        re.compile(_bare(_AFTER_TO)),
    ),
}


def code_of(problem: str, name: str) -> str:
    """Return the short code of a field's problem: `("bad", "CallSid")` gives `bad_call_sid`."""
    return problem + re.sub("([A-Z])", r"_\1", name).lower()
