"""A sweep's backlog: which call is next, which must wait, and which was tried too often."""

import random
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

MAX_ATTEMPTS = 8
INITIAL_PAUSE_SECONDS = 0.2
PAUSE_GROWTH = 1.5
MAX_PAUSE_SECONDS = 5.0
REFILL = 200

FRESH_SECONDS = 0.5
"""Calls read from the mirror longer ago are read again: they may have been dialled or protected since."""

MIN_SECONDS = 0.1
"""Seconds between two readings of the mirror where the last one brought nothing new."""

INITIAL_REST_SECONDS = 1.0

Head = Callable[[int], Sequence[str]]


@dataclass(slots=True)
class Backlog:
    """Hands out the calls of the mirror's head, oldest first, each to one attempt at a time.

    Attributes:
        head: returns the oldest `n` calls of the mirror.
        under_way: calls whose attempt runs now.
        parked: calls that were tried `MAX_ATTEMPTS` times; left for the next drain.
    """

    head: Head
    under_way: set[str] = field(default_factory=set)
    parked: set[str] = field(default_factory=set)
    _ready: deque[str] = field(default_factory=deque)
    _waiting: dict[str, float] = field(default_factory=dict)
    _attempts: dict[str, int] = field(default_factory=dict)
    _looked_at: set[str] = field(default_factory=set)
    _put_off: dict[str, float] = field(default_factory=dict)
    _read_at: float = float("-inf")
    _rests: dict[str, tuple[float, float]] = field(default_factory=dict)

    def next(self, now: float, *, fresh: bool = True) -> str | None:
        """Return the next call to attempt and mark it as under way; None if there is none now.

        Calls whose pause is over come first. Without `fresh`, only calls that were attempted before come.
        """
        self._put_off = {sid: until for sid, until in self._put_off.items() if until > now}
        call_sid = self._due(now) or (self._next_ready(now) if fresh else None)
        if call_sid is not None:
            self.under_way.add(call_sid)
        return call_sid

    def read_anew(self) -> None:
        """Forget the calls read so far, which may have left the queue, and read the mirror again."""
        self._ready.clear()
        self._read_at = float("-inf")

    def is_unsure(self, call_sid: str) -> bool:
        """Return whether an earlier attempt left the call's fate unknown."""
        return call_sid in self._attempts and call_sid not in self._looked_at

    @property
    def unsettled(self) -> int:
        """How many calls were or are being attempted and have no known outcome yet."""
        return len(self.under_way | self._attempts.keys())

    @property
    def has_waiting(self) -> bool:
        """Whether calls wait for another attempt."""
        return bool(self._waiting or self._put_off)

    def settled(self, call_sid: str) -> None:
        """Forget the call: its outcome is known."""
        self.under_way.discard(call_sid)
        self._looked_at.discard(call_sid)
        self._attempts.pop(call_sid, None)

    def looked_at(self, call_sid: str) -> None:
        """Put the call first, as no longer unsure: a look has shown that it is still queued."""
        self.under_way.discard(call_sid)
        self._looked_at.add(call_sid)
        self._waiting[call_sid] = 0.0

    def let_rest(self, call_sid: str, now: float) -> None:
        """Put a call off that Twilio does not know: it is tried again after a pause if the list still has it."""
        pause = min(8 * MAX_PAUSE_SECONDS, 2 * self._rests.get(call_sid, (0.0, INITIAL_REST_SECONDS / 2))[1])
        self._rests[call_sid] = (now + pause, pause)

    def put_back(self, call_sid: str, until: float = 0.0) -> None:
        """Put back a call whose attempt Twilio did not process: it comes next, or from the time `until` on."""
        self.under_way.discard(call_sid)
        if call_sid in self._attempts:
            self._waiting[call_sid] = until
        elif until:
            self._put_off[call_sid] = until
        else:
            self._ready.appendleft(call_sid)

    def retry_later(self, call_sid: str, now: float) -> bool:
        """Try a call of unknown fate again after a growing pause; False once it was tried too often."""
        self.under_way.discard(call_sid)
        self._looked_at.discard(call_sid)
        attempts = self._attempts[call_sid] = self._attempts.get(call_sid, 0) + 1
        if attempts >= MAX_ATTEMPTS:
            self.parked.add(call_sid)
            return False
        pause = min(MAX_PAUSE_SECONDS, INITIAL_PAUSE_SECONDS * PAUSE_GROWTH ** (attempts - 1))
        self._waiting[call_sid] = now + pause * random.uniform(0.9, 1.1)  # noqa: S311  (jitter)
        return True

    def _due(self, now: float) -> str | None:
        # In order of the first failure: whichever failed first is due first.
        for call_sid, at in self._waiting.items():
            if at <= now:
                del self._waiting[call_sid]
                return call_sid
        return None

    def _next_ready(self, now: float) -> str | None:
        is_idle = not (self.under_way or self._waiting)
        age = now - self._read_at
        if age > FRESH_SECONDS or (not self._ready and (is_idle or age > MIN_SECONDS)):
            self._read(now)
        return self._ready.popleft() if self._ready else None

    def _read(self, now: float) -> None:
        self._read_at = now
        taken = self.under_way | self.parked | self._waiting.keys() | self._put_off.keys()
        calls = [sid for sid in self.head(len(taken) + REFILL) if sid not in taken]
        resting = {sid: self._rests[sid][0] for sid in calls if sid in self._rests and self._rests[sid][0] > now}
        self._waiting.update(resting)
        self._ready = deque(sid for sid in calls if sid not in resting)
