"""What the sources have in common."""

from callguard.domain.policy import Policy
from callguard.domain.replay import Replay
from tests.benchmarks.detectors.judge import Judge
from tests.benchmarks.detectors.rate_queue import RateQueue, listed_creations
from tests.benchmarks.detectors.traffic import Kind


class Listener:
    """Hears calls and feeds them to the rules: known calls, and Twilio's list."""

    def __init__(self, queue: RateQueue, policy: Policy, phase_ms: int, until_trip: bool) -> None:
        self.replay = Replay(policy)
        self.judge = Judge(self.replay, policy)
        self.queue, self.policy = queue, policy
        self.created, self.kinds = queue.traffic.created_ms, queue.traffic.kinds
        self.destinations = queue.traffic.destinations
        self.known_to = 0
        self.phase_ms, self.until_trip = phase_ms, until_trip

    @property
    def is_over(self) -> bool:
        """Whether the trip that was waited for has come."""
        return self.until_trip and bool(self.judge.trips)

    def listen(self) -> None:
        """Hear the whole queue, from its first call to its last."""
        raise NotImplementedError

    def hear_listed(self, queued: range, now_ms: int) -> None:
        """Take the calls that are queued and were not known yet."""
        first = max(queued.start, self.known_to)
        if first >= queued.stop:
            return
        times = list(zip(range(first, queued.stop), listed_creations(self.queue, queued, first), strict=True))
        for announced in (True, False):
            news = [at_ms for call, at_ms in times if (self.kinds[call] is Kind.ANNOUNCED) is announced]
            if news:
                self.replay.entered(news, now_ms, announced=announced)
        for call, at_ms in times:
            if self.kinds[call] is not Kind.ANNOUNCED:
                self.replay.called(self.destinations[call], at_ms)
        self.known_to = queued.stop
