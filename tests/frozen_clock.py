"""Time that stands until it is moved."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import pytest

from callguard.simulator import hosted_account


@dataclass
class FrozenClock:
    """A clock that stands until it is moved."""

    ms: int

    def now_ms(self) -> int:
        return self.ms

    def pass_seconds(self, seconds: float) -> None:
        self.ms += round(seconds * 1000)


@contextmanager
def frozen_time(ms: int) -> Iterator[FrozenClock]:
    """Freeze the machine's clock for this process, and with it a simulated Twilio that begins in it.

    Only the date stands still: what waits goes by the monotonic clock, and servers have their own.
    """
    clock = FrozenClock(ms)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(time, "time", lambda: clock.ms / 1000)
        patch.setattr(time, "time_ns", lambda: clock.ms * 1_000_000)
        patch.setattr(hosted_account, "steady_clock", lambda: lambda: clock.ms / 1000)
        yield clock
