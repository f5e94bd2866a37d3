"""Lines of a report, and how many of its wanted figures were met."""

from collections import Counter
from collections.abc import Iterable
from statistics import median


class Report:
    """Collects lines; a wanted figure that is missed is marked in its line."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.wanted = self.met = 0

    def say(self, *lines: str) -> None:
        """Add lines as they are."""
        self.lines += lines

    def want(self, *, met: bool) -> str:
        """Count a wanted figure and return its mark."""
        self.wanted += 1
        self.met += met
        return "met" if met else "MISSED"


def seconds(delay: float | None) -> str:
    """Return a delay in words of a table."""
    return "never" if delay is None else f"{delay:,.2f}" if delay < 10 else f"{delay:,.1f}"


def worst(delays: Iterable[float | None]) -> float | None:
    """Return the longest delay, None if one of them is for ever."""
    known = list(delays)
    return None if None in known else max(delay for delay in known if delay is not None)


def middle(delays: Iterable[float | None]) -> float | None:
    """Return the median delay, of which None is the longest."""
    value = median(float("inf") if delay is None else delay for delay in delays)
    return None if value == float("inf") else value


def most_common(names: Iterable[str]) -> str:
    """Return names by how often they occur, as `spike` or `spike/plateau`."""
    return "/".join(name for name, _ in Counter(names).most_common())
