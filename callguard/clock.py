"""The real clock."""

import time


class SystemClock:
    """The machine's clock. Keep it right with NTP: callbacks, polls and drains share it through Redis."""

    def now_ms(self) -> int:
        """Return the present in milliseconds of Unix time."""
        return time.time_ns() // 1_000_000
