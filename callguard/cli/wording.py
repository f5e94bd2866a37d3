"""Figures in words, for terminals of 80 columns."""


def figure(number: float) -> str:
    """Return a number with at most one decimal, such as `1,234` or `65.3`."""
    return f"{number:,.1f}".removesuffix(".0")


def span(seconds: float) -> str:
    """Return a length of time in its largest fitting unit, such as `3 s` or `5 min`."""
    if seconds < 120:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 7200 else f"{seconds / 3600:.0f} h"
