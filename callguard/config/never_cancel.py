"""Checking the numbers of `never_cancel`."""

import re

_ENTRY = re.compile(r"\+[0-9]{2,15}|\+[0-9]{1,15}\*|(client|sips?):[^\s*,]+\*?|(client|sips?):\*")

EXAMPLE = ("+15551230000", "+1555*")


def number(text: str) -> str:
    """Return an entry that calls can match.

    Raises:
        ValueError: no call would match it, or every call would.
    """
    if text == "*":
        raise ValueError('would spare every call; to cancel nothing, set mode to "observe"')
    if not _ENTRY.fullmatch(text):
        raise ValueError(
            "should be a number with + and digits only, client:... or sip:..., with * only at its end"
        )
    return text
