"""The three sources: what the guard hears of the calls, and when."""

from enum import Enum

from callguard.domain.policy import Policy
from tests.benchmarks.detectors.judge import NEVER_MS, TICK_MS, Judge
from tests.benchmarks.detectors.listener import Listener
from tests.benchmarks.detectors.rate_queue import RateQueue
from tests.benchmarks.detectors.traffic import Kind

ANSWER_MS = 500
"""How long Twilio's list takes to be known when it is asked for."""
ALERT_POLL_MS = 1000


class Source(Enum):
    """Where the guard listens."""

    ENTRANCE = "entrance"
    CALLBACK = "callback"
    POLL = "poll"


def play(
    queue: RateQueue, policy: Policy, source: Source, phase_ms: int = 0, *, until_trip: bool = False
) -> Judge:
    """Let the guard hear `queue` through `source`; the first poll is `phase_ms` after the first call."""
    listener = {Source.ENTRANCE: _Entrance, Source.CALLBACK: _Callback, Source.POLL: _Poll}[source](
        queue, policy, phase_ms, until_trip
    )
    listener.listen()
    return listener.judge


class _Entrance(Listener):
    """Each call is heard of as it is created and as it is dialled, at once."""

    def listen(self) -> None:
        dialled, count = self.queue.dialled_ms, len(self.created)
        entered = left = 0
        look_ms = NEVER_MS
        while left < count and not self.is_over:
            is_news = entered < count and self.created[entered] <= dialled[left]
            at_ms = self.created[entered] if is_news else dialled[left]
            while look_ms < at_ms and not self.is_over:
                look_ms = self.judge.look(look_ms)
            if is_news:
                self._enter(entered, at_ms)
                entered += 1
            else:
                self._leave(left, at_ms)
                left += 1
            look_ms = self.judge.look(at_ms)

    def _enter(self, call: int, at_ms: int) -> None:
        announced = self.kinds[call] is Kind.ANNOUNCED
        self.replay.entered((at_ms,), at_ms, announced=announced)
        if not announced:
            self.replay.called(self.destinations[call], at_ms)

    def _leave(self, call: int, at_ms: int) -> None:
        announced = self.kinds[call] is Kind.ANNOUNCED
        self.replay.dialled(at_ms, announced=announced)
        self.replay.left(1, at_ms, announced=announced)


class _Callback(Listener):
    """Only `initiated` is heard. A crossed rule asks for the list, and again each second while suspected."""

    def listen(self) -> None:
        self._look_ms = self._answer_ms = NEVER_MS
        for call, at_ms in enumerate(self.queue.dialled_ms):
            while min(self._look_ms, self._answer_ms) < at_ms and not self.is_over:
                self._wait()
            if self.is_over:
                return
            self._dial(call, at_ms)
            self._look(at_ms)

    def _wait(self) -> None:
        now_ms = min(self._look_ms, self._answer_ms)
        if now_ms == self._answer_ms:
            self.hear_listed(self.queue.queued_at(now_ms), now_ms)
            self._answer_ms = now_ms + ALERT_POLL_MS if self.judge.is_suspicious(now_ms) else NEVER_MS
        self._look(now_ms)

    def _look(self, now_ms: int) -> None:
        asked = len(self.judge.asked)
        self._look_ms = self.judge.look(now_ms)
        if len(self.judge.asked) > asked:
            self._answer_ms = min(self._answer_ms, now_ms + ANSWER_MS)

    def _dial(self, call: int, at_ms: int) -> None:
        announced = self.kinds[call] is Kind.ANNOUNCED
        if not announced and call >= self.known_to:
            self.replay.called(self.destinations[call], at_ms)
        self.replay.dialled(at_ms, announced=announced)
        if call < self.known_to:
            self.replay.left(1, at_ms, announced=announced)


class _Poll(Listener):
    """Only Twilio's list is read: every `poll_seconds`, every second once a rule has reached half its level."""

    def listen(self) -> None:
        self._gone_to = 0
        end_ms, now_ms = self.queue.dialled_ms[-1], self.created[0] + self.phase_ms
        poll_ms = round(self.policy.poll_seconds * 1000)
        while now_ms <= end_ms and not self.is_over:
            queued, asked = self.queue.queued_at(now_ms), len(self.judge.asked)
            self._retire(queued.start, now_ms)
            self.hear_listed(queued, now_ms)
            self.judge.look(now_ms)
            if len(self.judge.asked) > asked:
                now_ms += TICK_MS
            elif self.judge.is_alert(now_ms):
                now_ms += ALERT_POLL_MS
            elif queued or queued.stop >= len(self.created):
                now_ms += poll_ms
            else:  # nothing to be seen before the next call
                now_ms += max(1, -(-(self.created[queued.stop] - now_ms) // poll_ms)) * poll_ms

    def _retire(self, gone_to: int, now_ms: int) -> None:
        """Let go of the known calls that the list no longer shows."""
        gone = [self.kinds[call] is Kind.ANNOUNCED for call in range(self._gone_to, min(gone_to, self.known_to))]
        for announced in (True, False):
            if count := gone.count(announced):
                self.replay.left(count, now_ms, announced=announced)
        self._gone_to = max(self._gone_to, gone_to)
