"""One account's calls and how they live: the pure model, without clock or input and output.

Every method takes the time as unix seconds. `advance(now)` must be called before any other method at `now`.
"""

from collections import Counter, deque
from collections.abc import Callable
from heapq import heappop, heappush
from random import Random

from callguard.simulator.calls import Call, CallEvent, CallRow, CallStatus, NewCall, Progress
from callguard.simulator.config import AccountConfig
from callguard.simulator.hold_queues import HoldQueues
from callguard.simulator.rate_queue import RateQueue

_EVENTS = tuple(CallEvent)
_OUTCOMES = (CallStatus.COMPLETED, CallStatus.BUSY, CallStatus.NO_ANSWER, CallStatus.FAILED)


class Account:
    """The calls of one account.

    `on_progress` hears of every event that a caller subscribed to, `on_event` of every event whatsoever.
    """

    def __init__(
        self,
        config: AccountConfig,
        seed: str,
        on_progress: Callable[[Progress], None],
        on_event: Callable[[Progress], None] | None = None,
    ) -> None:
        self.config = config
        self.queue = RateQueue(config.cps)
        self.hold = HoldQueues(config.sid)
        self.calls: dict[str, Call] = {}
        self.all_calls = CallRow()
        # Rows of their own for statuses often asked for. A list with lag sees the departed a while yet.
        self.queued_calls = CallRow()
        self.live_calls = CallRow()  # ringing or in progress; calls are dialled in order of creation
        self.counts: Counter[CallStatus] = Counter()  # calls now in each status, forgotten ones included
        self.created = 0
        self.dialled = 0
        self._on_progress = on_progress
        self._on_event = on_event
        self._random = Random(seed)  # noqa: S311  luck, not secrecy
        self._steps: list[tuple[float, int, Call, CallStatus]] = []  # a heap of what comes next, by time
        self._ended: deque[Call] = deque()

    def create(self, order: NewCall, now: float) -> Call:
        """Queue a call. Raises `QueueFullError`."""
        slot = self.queue.slot_for_new(now)
        sid = f"CA{self._random.getrandbits(128):032x}"
        call = Call(sid, self.created, order, now, queue_time_ms=round((slot - now) * 1000))
        self.queue.join(call, now)
        self.calls[sid] = call
        self.all_calls.append(call)
        self.queued_calls.append(call)
        self.created += 1
        self.counts[CallStatus.QUEUED] += 1
        return call

    def next_due(self) -> float | None:
        """When `advance` has something to do next; None when nothing is under way."""
        slot = self.queue.next_due()
        step = self._steps[0][0] if self._steps else None
        if slot is None or step is None:
            return step if slot is None else slot
        return min(slot, step)

    def advance(self, now: float) -> None:
        """Let everything happen that is due by now: slots pass, phones ring, people answer and hang up."""
        for slot, call in self.queue.due(now):
            if call.status is CallStatus.QUEUED:
                self._dial(call, slot)
        while self._steps and self._steps[0][0] <= now:
            at, _, call, status = heappop(self._steps)
            if call.ended:
                continue  # cancelled or hung up in the meantime
            if status is CallStatus.IN_PROGRESS:
                self._answer(call, at)
            else:
                self.end(call, status, at)

    def end(self, call: Call, status: CallStatus, at: float) -> None:
        """End a call that has not ended. A queued one keeps its slot in the rate queue."""
        was_queued = call.status is CallStatus.QUEUED
        call.ended_at = at
        self._move(call, status)
        self.hold.leave(call, at)
        row = self.queued_calls if was_queued else self.live_calls
        row.note_departure(self._shows(at, _left_queue_at if was_queued else _ended_at))
        if not was_queued or self.config.cancel_callbacks:
            self._tell(call, CallEvent.COMPLETED, status, at)
        self._ended.append(call)
        if len(self._ended) > self.config.keep_ended:
            self._forget(self._ended.popleft())

    def phantom_slots(self) -> int:
        """How many slots in the queue belong to calls that are dead."""
        return len(self.queue) - self.counts[CallStatus.QUEUED]

    def drain_seconds(self, now: float) -> float:
        """How long a call that was created now would wait."""
        return max(0.0, self.queue.next_free() - now)

    def _dial(self, call: Call, at: float) -> None:
        self.dialled += 1
        call.dialled_at = at
        self.live_calls.append(call)
        self.queued_calls.note_departure(self._shows(at, _left_queue_at))
        self._move(call, CallStatus.RINGING)
        self._tell(call, CallEvent.INITIATED, "initiated", at)
        behaviour = self.config.behaviour
        outcome = self._random.choices(_OUTCOMES, behaviour.shares)[0]
        if outcome is CallStatus.FAILED:
            self.end(call, outcome, at)
            return
        self._tell(call, CallEvent.RINGING, CallStatus.RINGING, at)
        next_status = CallStatus.IN_PROGRESS if outcome is CallStatus.COMPLETED else outcome
        heappush(self._steps, (at + behaviour.ring_seconds, call.number, call, next_status))

    def _answer(self, call: Call, at: float) -> None:
        call.answered_at = at
        self._move(call, CallStatus.IN_PROGRESS)
        self._tell(call, CallEvent.ANSWERED, CallStatus.IN_PROGRESS, at)
        ends_at = at + self.config.behaviour.talk_seconds
        heappush(self._steps, (ends_at, call.number, call, CallStatus.COMPLETED))

    def _move(self, call: Call, status: CallStatus) -> None:
        self.counts[call.status] -= 1
        self.counts[status] += 1
        call.status = status

    def _tell(self, call: Call, event: CallEvent, word: str, at: float) -> None:
        if self._on_event is not None:
            self._on_event(Progress(call, event, str(word), at, _EVENTS.index(event)))
        callback = call.order.callback
        if callback is not None and event in callback.events:
            self._on_progress(Progress(call, event, str(word), at, call.callbacks_made))
            call.callbacks_made += 1

    def _forget(self, call: Call) -> None:
        del self.calls[call.sid]
        self.all_calls.note_departure(lambda kept: kept.sid in self.calls)

    def _shows(self, now: float, left_at: Callable[[Call], float | None]) -> Callable[[Call], bool]:
        """Whether a list asked for at `now` or later may still show a call in its former status."""
        view = now - self.config.list_lag
        return lambda call: (left := left_at(call)) is None or left > view


def _left_queue_at(call: Call) -> float | None:
    return call.ended_at if call.dialled_at is None else call.dialled_at


def _ended_at(call: Call) -> float | None:
    return call.ended_at
