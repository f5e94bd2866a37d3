"""When a sweep should send nothing for a while."""

import random
from dataclasses import dataclass

INITIAL_SECONDS = 0.1
MAX_SECONDS = 5.0
MAX_ASKED_SECONDS = 10.0

# So many failures in a row are no bad luck: Twilio is away, and asking it faster does not bring it back.
OUTAGE = 20


@dataclass(slots=True)
class Pauses:
    """Pauses that Twilio asks for, and those that its silence calls for. All times are seconds of one clock."""

    _until: float = float("-inf")
    _failures: int = 0
    _refusals: int = 0
    _refused_at: float = float("-inf")

    def is_on(self, now: float) -> bool:
        """Return whether nothing should be sent now."""
        return now < self._until

    def answered(self) -> None:
        """Twilio has served a request."""
        self._failures = self._refusals = 0

    def throttled(self, sent_at: float, now: float, retry_after: float = 0.0) -> None:
        """Twilio has answered 429 to a request that was sent at `sent_at`, and none of ours is left under way.

        Fewer requests at once are the answer to that, and no pause, unless it has served nothing since the last
        one: others must be using up what it bears. Then the pause is as long as it asks for (`retry_after`,
        seconds), or grows.
        """
        if sent_at > self._refused_at:
            self._refusals, self._refused_at = self._refusals + 1, now
        if self._refusals > 1:
            growing = min(MAX_SECONDS, INITIAL_SECONDS * 2.0 ** min(self._refusals - 2, 10))
            self._pause(now, max(growing, min(MAX_ASKED_SECONDS, retry_after)))

    def failed(self, now: float, under_way: int) -> bool:
        """One of `under_way` requests was lost; return whether Twilio seems to be away.

        It may fail some at once and serve others in its time: while more are under way than failed, that is open.
        """
        self._failures += 1
        if self._failures < max(OUTAGE, under_way):
            return False
        self._pause(now, min(MAX_SECONDS, 0.25 * self._failures / OUTAGE))
        return True

    def _pause(self, now: float, seconds: float) -> None:
        self._until = max(self._until, now + seconds * random.uniform(1.0, 1.2))  # noqa: S311  (jitter)
