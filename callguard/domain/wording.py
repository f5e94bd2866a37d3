"""Figures in words, for notices, logs and terminals of 80 columns."""


def figure(number: float) -> str:
    """Return a number with at most one decimal, such as `1,234` or `65.3`."""
    return f"{number:,.1f}".removesuffix(".0")


def span(seconds: float) -> str:
    """Return a length of time in its largest fitting unit, such as `3 s`, `5 min`, `8.3 h` or `3 days`."""
    for most, unit, name in ((120, 1, "s"), (7200, 60, "min")):
        if seconds < most:
            return f"{seconds / unit:.0f} {name}"
    return f"{figure(seconds / 3600)} h" if seconds < 172_800 else f"{seconds / 86_400:,.0f} days"
