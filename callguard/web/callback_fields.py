"""The fields of a status callback, each with the pattern that its value must match.

Sources: https://www.twilio.com/docs/voice/api/call-resource#statuscallback,
https://www.twilio.com/docs/voice/twiml#request-parameters
"""

import re
from itertools import product

from callguard.domain.calls import CallStatus

REQUIRED = ("AccountSid", "CallSid", "CallStatus", "From", "SequenceNumber", "Timestamp", "To")

_CALL_SID = r"CA[0-9a-fA-F]{32}"
_STATUS = "|".join(status.value for status in CallStatus)
_DIRECTION = "inbound|outbound-api|outbound-dial|trunking-originating|trunking-terminating"
_TIMESTAMP = (
    r"(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), [0-9]{1,2} (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    r" [12][0-9]{3} [0-9]{2}:[0-9]{2}:[0-9]{2} (?:[+-][0-9]{4}|GMT|UTC)"
)
_NUMBER = r"\+[0-9]{2,15}|[0-9]{3,15}|(?i:anonymous|blocked|private|restricted|unavailable|unknown)"
_SCHEME = "client|sips?|sim|app|user|tel|whatsapp|conference"
_TEXT = r"[^\x00-\x1f\x7f]{0,512}"
_DIGITS = "[0-9]{0,9}"

# Names that follow From and To in the signed text, where nothing else ends a name such as `client:jane`.
_AFTER_FROM = (
    "From(?:City|Country|State|Zip)|MachineDetectionDuration|ParentCallSid|QueueTime"
    "|Recording(?:Sid|Url|Duration|Status|Source|Channels)|SequenceNumber"
)
_AFTER_TO = "To(?:City|Country|State|Zip)|TrunkSid"


def _address(following: str) -> str:
    return rf"(?:{_NUMBER}|(?:{_SCHEME}):(?:(?!{following})[^\x00-\x1f\x7f]){{1,512}})"


_GEOGRAPHY = {
    f"{who}{what}": pattern
    for who, (what, pattern) in product(
        ("Called", "Caller", "From", "To"),
        {
            "City": r"[^\x00-\x1f\x7f]{0,100}",  # "NWYRCYZN01" is one, so digits are allowed
            "Country": r"(?:[A-Z]{2})?",
            "State": r"[^\x00-\x1f\x7f]{0,100}",
            "Zip": r"[0-9A-Za-z -]{0,16}",
        }.items(),
    )
}

PATTERNS = {
    "AccountSid": "AC[0-9a-f]{32}",
    "ApiVersion": r"[0-9]{4}-[0-9]{2}-[0-9]{2}",
    "CallDuration": _DIGITS,
    "CallSid": _CALL_SID,
    "CallStatus": _STATUS,
    "CallbackSource": r"[a-z-]{0,64}",
    "Called": _TEXT,
    "Caller": _TEXT,
    "CallerName": _TEXT,
    "Direction": _DIRECTION,
    "Duration": _DIGITS,
    "ForwardedFrom": _TEXT,
    "From": rf"(?:{_address(_AFTER_FROM)})?",
    "ParentCallSid": rf"(?:{_CALL_SID})?",
    "RecordingDuration": _DIGITS,
    "RecordingSid": r"(?:RE[0-9a-fA-F]{32})?",
    "RecordingUrl": _TEXT,
    "SequenceNumber": r"[0-9]{1,6}",
    "SipResponseCode": r"(?:[0-9]{3})?",
    "StirStatus": r"[A-Za-z-]{0,32}",
    "StirVerstat": r"[A-Za-z0-9-]{0,64}",
    "Timestamp": _TIMESTAMP,
    "To": rf"(?:{_address(_AFTER_TO)})?",
    **_GEOGRAPHY,
}
"""Twilio adds fields without notice, so a name that is not here is no error."""

UNKNOWN_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.\[\]-]{0,99}")
MOST_UNKNOWN_CHARACTERS = 4096

IN_SIGNED_TEXT = {
    name: re.compile(pattern)
    for name, pattern in {
        "AccountSid": f"AccountSid({PATTERNS['AccountSid']})",
        "CallSid": f"CallSid(?<!ParentCallSid)({_CALL_SID})",
        "CallStatus": f"CallStatus({_STATUS})",
        "Direction": f"Direction({_DIRECTION})",
        "From": f"From(?<!ForwardedFrom)({_address(_AFTER_FROM)})",
        "ParentCallSid": f"ParentCallSid({_CALL_SID})",
        "SequenceNumber": f"SequenceNumber({PATTERNS['SequenceNumber']})",
        "Timestamp": f"Timestamp({_TIMESTAMP})",
        "To": f"To({_address(_AFTER_TO)})",
    }.items()
}
"""The fields that decide what a callback means, as they look within the text that is signed.

Each begins with its name, look-behinds after it: `re` skips to a literal prefix ten times as fast.
"""


def code_of(problem: str, name: str) -> str:
    """Return the short code of a field's problem: `("bad", "CallSid")` gives `bad_call_sid`."""
    return problem + re.sub("([A-Z])", r"_\1", name).lower()
