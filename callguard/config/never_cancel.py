"""Checking the lists of numbers: `never_cancel` and `repeat_exempt`."""

import re

_ENTRY = re.compile(r"\+[0-9]{2,15}|\+[0-9]{1,15}\*|(client|sips?):[^\s*,]+\*?|(client|sips?):\*")

KEYS = {
    "never_cancel": 'would spare every call; to cancel nothing, set mode to "observe"',
    "repeat_exempt": "would exempt every number; to be told of none, set repeat_limit to 1000",
}
"""The policy keys that hold numbers, and why `*` alone is refused there."""

EXAMPLE = ("+15551230000", "+1555*")


def number(text: str, key: str = "never_cancel") -> str:
    """Return an entry that calls can match.

    Raises:
        ValueError: no call would match it, or every call would.
    """
    if text == "*":
        raise ValueError(KEYS[key])
    if not _ENTRY.fullmatch(text):
        raise ValueError(
            "should be a number with + and digits only, client:... or sip:..., with * only at its end"
        )
    return text
