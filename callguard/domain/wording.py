"""Figures in words, for notices, logs and terminals of 80 columns; and the reasons that people give."""

import unicodedata


def figure(number: float) -> str:
    """Return a number with at most one decimal, such as `1,234` or `65.3`."""
    return f"{number:,.1f}".removesuffix(".0")


def span(seconds: float) -> str:
    """Return a length of time in its largest fitting unit, such as `3 s`, `5 min`, `8.3 h` or `3 days`."""
    for most, unit, name in ((120, 1, "s"), (7200, 60, "min")):
        if seconds < most:
            return f"{seconds / unit:.0f} {name}"
    return f"{figure(seconds / 3600)} h" if seconds < 172_800 else f"{seconds / 86_400:,.0f} days"


MAX_REASON = 500


def checked_reason(text: str) -> str:
    """Return a reason without blanks around it.

    Raises:
        ValueError: it is too long, or holds what a terminal would take for a command; the message says so.
    """
    stripped = text.strip()
    if len(stripped) > MAX_REASON:
        raise ValueError(f"has {len(stripped):,} characters; {MAX_REASON} are the most")
    if any(not _is_shown(character) for character in stripped):
        raise ValueError(
            "holds control characters (a line break, or an escape code): write it in one line of text"
        )
    return stripped


def printable(text: str) -> str:
    """Return a text with every character replaced that a terminal would not simply show."""
    return "".join(character if _is_shown(character) else "\N{REPLACEMENT CHARACTER}" for character in text)


def _is_shown(character: str) -> bool:
    # Cc: control. Cf: also those that turn the direction of writing. Zl, Zp: line breaks.
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
