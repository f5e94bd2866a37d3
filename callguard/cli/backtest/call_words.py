"""The words of call logs: Twilio's API, its Console and people name the same things differently."""

import re
from collections import Counter

from callguard.domain.calls import CallStatus

MAX_SHOWN = 5
_MAX_KEPT = 1000
_LONG_NUMBER = re.compile(r"\d{5,}")  # a line of data, taken for the header, may hold telephone numbers

OUTBOUND = "outbound-api"
BLANKS = frozenset({"", "null", "none", "nil", "n/a", "-"})
"""What stands for nothing, in lower case."""

# https://www.twilio.com/docs/voice/api/call-resource#call-properties; "Outgoing API", "Outgoing Dial" and
# "Incoming" are the Console's.
_BY_API = frozenset({OUTBOUND, "outgoing-api"})
_OTHERS = frozenset(
    {"inbound", "incoming", "outbound-dial", "outgoing-dial", "trunking-originating", "trunking-terminating"}
)
_STATUSES = {status.value: status for status in CallStatus} | {"cancelled": CallStatus.CANCELED}


def is_by_api(direction: str) -> bool | None:
    """Return whether a direction is of calls that an API request made; None for a word that is not known."""
    word = re.sub(r"[\s_-]+", "-", direction.strip().lower())
    return word in _BY_API if word in _BY_API or word in _OTHERS else None


def status_named(text: str) -> CallStatus | None:
    """Return the status; None for a word that is not known."""
    return _STATUSES.get(re.sub(r"[\s_]+", "-", text.strip().lower()))


def is_blank(text: str) -> bool:
    """Return whether it stands for nothing."""
    return text.strip().lower() in BLANKS


class NotUnderstood:
    """Values that were not understood, by column, and how often each came."""

    def __init__(self) -> None:
        """Nothing yet."""
        self._counts: dict[str, Counter[str]] = {}

    def __bool__(self) -> bool:
        return bool(self._counts)

    def note(self, column: str, value: str) -> None:
        """Count a value of a column."""
        counts = self._counts.setdefault(column, Counter())
        counts[value if value in counts or len(counts) < _MAX_KEPT else "…"] += 1

    def lines(self) -> list[str]:
        """Return a line for each column, with the most frequent values."""
        return [f'column "{shown(column)}": {counted(counts)}' for column, counts in self._counts.items()]


def counted(counts: Counter[str]) -> str:
    """Return values with how often they came, the most frequent first."""
    told = [f'{count:,} "{shown(value)}"' for value, count in counts.most_common(MAX_SHOWN)]
    rest = len(counts) - MAX_SHOWN
    return ", ".join(told) + (f" and {rest:,} other values" if rest > 0 else "")


def shown(text: str) -> str:
    """Return a text of the file as it may be shown: short, printable, and without anybody's number."""
    printable = "".join(character if character.isprintable() else "?" for character in text.strip()[:40])
    return _LONG_NUMBER.sub("***", printable)
