"""Learning the account's CPS from what leaves the queue. No API of Twilio tells it.

While calls wait, the dialler takes one a slot: the calls that leave in a window, by its seconds, are the CPS.
Dead slots pass unseen, so nothing is learned while there are some. A window is believed when the next one agrees:
somebody else's mass cancel must not be taken for a fast dialler.
"""

from dataclasses import dataclass, replace

MIN_WINDOW_MS = 10_000
MAX_WINDOW_MS = 60_000
MIN_DEPARTURES = 10
AGREEMENT = 0.15
DOUBT = 0.10
WARNING = 0.20


@dataclass(frozen=True, slots=True)
class Throughput:
    """What has been learned so far.

    Attributes:
        since_ms: when the present window began, in milliseconds of Unix time; 0 for none.
        departed: calls that had left the queue for the dialler by then, since ever.
        candidate: calls per second of the window before, 0 for none.
        learned: calls per second that two windows agreed on, 0 for none.
    """

    since_ms: int = 0
    departed: int = 0
    candidate: float = 0.0
    learned: float = 0.0

    def after(self, now_ms: int, departed: int, *, is_busy: bool) -> "Throughput":
        """Return what is known after a complete look at the queue.

        `departed` counts since ever; `is_busy` says that calls wait, and no dead slots among them.
        """
        if not is_busy:
            return replace(self, since_ms=0, departed=0)
        if not 0 < self.since_ms <= now_ms:
            return replace(self, since_ms=now_ms, departed=departed)
        window_ms, calls = now_ms - self.since_ms, departed - self.departed
        too_little = window_ms < MIN_WINDOW_MS or calls < MIN_DEPARTURES
        if too_little and window_ms < MAX_WINDOW_MS:
            return self
        if calls <= 0:
            return replace(self, since_ms=now_ms, departed=departed)
        rate = calls * 1000 / window_ms
        agreed = self.candidate > 0 and abs(rate / self.candidate - 1) <= AGREEMENT
        learned = (rate + self.candidate) / 2 if agreed else self.learned
        return Throughput(now_ms, departed, rate, learned)


def effective_cps(configured: float, learned: float) -> float:
    """Return the CPS to use: the learned one if it is known and clearly differs."""
    return learned if learned > 0 and abs(learned / configured - 1) > DOUBT else configured


def disagree(configured: float, learned: float) -> bool:
    """Return whether the configured CPS must be wrong, so that a person should be told."""
    return learned > 0 and abs(learned / configured - 1) > WARNING
