"""Pauses in which a sweep sends nothing."""

import random
from dataclasses import dataclass

INITIAL_SECONDS = 0.1
MAX_SECONDS = 5.0
MAX_ASKED_SECONDS = 10.0

# So many failures in a row mean that Twilio is away; faster requests do not bring it back.
OUTAGE = 20


@dataclass(slots=True)
class Pauses:
    """Pauses that Twilio asks for, and pauses while it does not answer. All times are seconds of one clock."""

    _until: float = float("-inf")
    _failures: int = 0
    _refusals: int = 0
    _refused_at: float = float("-inf")

    def is_on(self, now: float) -> bool:
        """Return whether nothing should be sent now."""
        return now < self._until

    def answered(self) -> None:
        """Note that Twilio has served a request."""
        self._failures = self._refusals = 0

    def throttled(self, sent_at: float, now: float, retry_after: float = 0.0) -> None:
        """Note that Twilio has answered 429 to a request sent at `sent_at`, and no other request is under way.

        The first 429 makes no pause: sending fewer requests at once is the answer to it. If Twilio has served
        nothing since the last 429, others use up what it bears. Then the pause grows, or is as long as Twilio asks
        for (`retry_after`, in seconds).
        """
        if sent_at > self._refused_at:
            self._refusals, self._refused_at = self._refusals + 1, now
        if self._refusals > 1:
            growing = min(MAX_SECONDS, INITIAL_SECONDS * 2.0 ** min(self._refusals - 2, 10))
            self._pause(now, max(growing, min(MAX_ASKED_SECONDS, retry_after)))

    def failed(self, now: float, under_way: int) -> bool:
        """Note that one of `under_way` requests was lost; return whether Twilio seems to be away.

        It is not away as long as more requests are under way than have failed: it may still serve those.
        """
        self._failures += 1
        if self._failures < max(OUTAGE, under_way):
            return False
        self._pause(now, min(MAX_SECONDS, 0.25 * self._failures / OUTAGE))
        return True

    def _pause(self, now: float, seconds: float) -> None:
        self._until = max(self._until, now + seconds * random.uniform(1.0, 1.2))  # noqa: S311  (jitter)
