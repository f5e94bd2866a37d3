"""The time."""

import time
from typing import Protocol


class Clock(Protocol):
    """The time, in milliseconds of Unix time."""

    def now_ms(self) -> int:
        """Return the present."""


class SystemClock:
    """The machine's clock. Keep it right with NTP: callbacks, polls and drains share it through Redis."""

    def now_ms(self) -> int:
        """Return the present in milliseconds of Unix time."""
        return time.time_ns() // 1_000_000
