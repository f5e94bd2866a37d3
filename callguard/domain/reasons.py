"""Reasons that people give: shown to others, in terminals too."""

import unicodedata

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
    """Return text of whatever source such that a terminal only shows it."""
    return "".join(character if _is_shown(character) else "\N{REPLACEMENT CHARACTER}" for character in text)


def _is_shown(character: str) -> bool:
    # Cc: control. Cf: also those that turn the direction of writing. Zl, Zp: line breaks.
    return unicodedata.category(character) not in ("Cc", "Cf", "Cs", "Zl", "Zp")
