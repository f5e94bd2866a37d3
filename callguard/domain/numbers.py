"""Phone numbers: which of them are protected, and how little of one may be shown."""

from collections.abc import Iterable

_SHOWN_TAIL = 2
_LONG = 11


class NumberList:
    """Numbers given exactly or as a prefix that ends in `*`, as in `never_cancel`.

    >>> "+15551230000" in NumberList(["+1555*"])
    True
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        """Sort the patterns into exact numbers and prefixes."""
        listed = list(patterns)
        self._exact = frozenset(p for p in listed if not p.endswith("*"))
        self._prefixes = tuple(p[:-1] for p in listed if p.endswith("*"))

    def __contains__(self, number: str) -> bool:
        return number in self._exact or number.startswith(self._prefixes)


def masked(number: str) -> str:
    """Return `+1555***01`: enough to recognise one's own number, too little to call it."""
    if len(number) < 8:
        return "***"
    head = 5 if len(number) >= _LONG else 2
    return f"{number[:head]}***{number[-_SHOWN_TAIL:]}"
