"""Phone numbers: which of them are protected, and how little of one may be shown."""

from collections.abc import Iterable

from callguard.domain.addresses import canonical

_SHOWN_TAIL = 2
_LONG = 11


class NumberList:
    """Addresses given exactly or as a prefix that ends in `*`, as in `never_cancel`.

    A number means the same with its `+` and without it.

    >>> "+15551230000" in NumberList(["+1555*"]), "+15551230000" in NumberList(["15551230000"])
    (True, True)
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        """Sort the patterns into exact numbers and prefixes."""
        listed = list(patterns)
        self._exact = frozenset(canonical(p) for p in listed if not p.endswith("*"))
        prefixes = [p[:-1] for p in listed if p.endswith("*")]
        self._prefixes = tuple(prefixes + [f"+{digits}" for digits in prefixes if digits.isdigit()])

    def __contains__(self, number: str) -> bool:
        if not (self._exact or self._prefixes):
            return False
        known = canonical(number)
        return known in self._exact or known.startswith(self._prefixes)


def masked(number: str) -> str:
    """Return `+1555***01`: enough to recognise one's own number, too little to call it."""
    if len(number) < 8:
        return "***"
    head = 5 if len(number) >= _LONG else 2
    return f"{number[:head]}***{number[-_SHOWN_TAIL:]}"
