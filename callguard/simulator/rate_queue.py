"""Twilio's rate queue: calls leave at the account's calls per second, in the order they came.

A call's place is a *slot*. A cancelled call keeps its slot, so that a queue full of dead calls still
delays every new one. See https://www.twilio.com/docs/glossary/what-is-a-calls-per-second-cps-limit
and, for the 24 hours, https://www.twilio.com/docs/api/errors/22005.
"""

from collections import deque
from collections.abc import Iterator

from callguard.simulator.calls import Call

MAX_QUEUE_SECONDS = 24 * 3600.0


class QueueFullError(Exception):
    """More than 24 hours of calls wait already (Twilio's error 22005)."""


class RateQueue:
    """A first-in first-out queue of slots, `1 / cps` seconds apart. Times are unix seconds."""

    def __init__(self, cps: float) -> None:
        self._waiting: deque[Call] = deque()
        self._head_at = 0.0  # when the next slot is due
        self._change(cps)

    @property
    def cps(self) -> float:
        """Calls per second."""
        return self._cps

    def __len__(self) -> int:
        """How many slots wait, dead ones too."""
        return len(self._waiting)

    def next_free(self) -> float:
        """When a call that joined now would be dialled, if that is not in the past."""
        return self._head_at + len(self._waiting) / self._cps

    def slot_for_new(self, now: float) -> float:
        """When a call that joins now will be dialled. Raises `QueueFullError`."""
        slot = max(self.next_free(), now)
        if slot - now >= MAX_QUEUE_SECONDS:
            raise QueueFullError
        return slot

    def join(self, call: Call, now: float) -> None:
        """Give the call the last slot."""
        if not self._waiting:
            self._head_at = max(self._head_at, now)
        self._waiting.append(call)

    def next_due(self) -> float | None:
        """When the next slot passes, dead or alive; None when nothing waits."""
        return self._head_at if self._waiting else None

    def due(self, now: float) -> Iterator[tuple[float, Call]]:
        """Take the slots whose time has come, with that time. Dead calls come too."""
        while self._waiting and self._head_at <= now:
            slot = self._head_at
            self._head_at += 1 / self._cps
            yield slot, self._waiting.popleft()

    def change_rate(self, cps: float, now: float) -> None:
        """From now on, slots are `1 / cps` apart, those already waiting too. Raises `ValueError`."""
        self._change(cps)
        self._head_at = min(self._head_at, now + 1 / cps)

    def _change(self, cps: float) -> None:
        if not 0 < cps <= 100_000:
            raise ValueError(f"cps must be above 0 and at most 100000, not {cps}")
        self._cps = cps
