"""Checking the lists of numbers: `never_cancel` and `repeat_exempt`."""

from callguard.domain.addresses import checked_entry

KEYS = {
    "never_cancel": 'would spare every call; to cancel nothing, set mode to "observe"',
    "repeat_exempt": "would exempt every number; to be told of none, set repeat_limit to 1000",
}
"""The policy keys that hold numbers, and why `*` alone is refused there."""

EXAMPLE = ("+15551230000", "+1555*")


def number(text: str, key: str = "never_cancel") -> str:
    """Return an entry that calls can match (`callguard.domain.addresses` has the grammar).

    Raises:
        ValueError: no call would match it, or every call would.
    """
    if text == "*":
        raise ValueError(KEYS[key])
    return checked_entry(text)
