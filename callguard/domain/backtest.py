"""Plays a history through the rules, fed as a source would have fed them: what the guard would have done."""

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, replace

from callguard.domain.history import NEVER_MS, NO_DESTINATION, History
from callguard.domain.policy import Policy, Unqueued
from callguard.domain.replay import Replay
from callguard.domain.rules import Verdict, decide, is_quiet
from callguard.domain.snapshot import SUSPICION_MS, Finding, State
from callguard.domain.sources import Source

ALERT_POLL_MS = 1000
"""How soon Twilio's list is read, and read again, under suspicion and while an incident is open."""

PROGRESS_STEP = 8192


@dataclass(slots=True)
class Trip:
    """An incident that would have been.

    Attributes:
        at_ms: when the guard would have tripped.
        finding: the rule and its figures.
        queued: calls that were queued then and not on the `never_cancel` list.
        cancelled: calls that would have been cancelled until its end.
        ended_ms: when the guard would have been armed again; None if the history ends before.
        destination: the digits of the last call before it, `NO_DESTINATION` for none.
    """

    at_ms: int
    finding: Finding
    queued: int
    cancelled: int = 0
    ended_ms: int | None = None
    destination: int = NO_DESTINATION


@dataclass(slots=True)
class UnqueuedTrip:
    """An incident that would have opened with fewer than `min_backlog` calls queued, so that nothing is cancelled.

    Attributes:
        at_ms: when its rule was first crossed.
        finding: the rule and its figures then.
        destination: the digits of the last call before it, `NO_DESTINATION` for none.
        last_ms: when a rule was last seen crossed.
    """

    at_ms: int
    finding: Finding
    destination: int
    last_ms: int


def untold(calls: int) -> None:
    """Tell nobody how far it is."""


class Backtest:
    """Plays a history through the rules with `enforce` and `rearm = auto`, whatever the policy says.

    A cancelled call is never dialled and keeps its slot at Twilio, so all other calls are dialled when they were.
    Cancelling takes no time, and every queued call that may be cancelled is.
    """

    def __init__(
        self,
        history: History,
        policy: Policy,
        source: Source = Source.REPORT,
        *,
        progress: Callable[[int], None] = untold,
    ) -> None:
        """Keep the parts; `progress` gets, now and then, the number of calls played since its last call."""
        self.replay = Replay(policy)
        self.trips: list[Trip] = []
        self.unqueued: list[UnqueuedTrip] = []
        self.depth = 0
        self.last_destination = NO_DESTINATION
        self._history, self._policy, self._progress = history, policy, progress
        self._hears_creations = source is Source.REPORT
        self._hears_dials = source is not Source.POLL
        self._poll_ms = round(policy.poll_seconds * 1000) if source is Source.POLL else 0
        self._next_look_ms, self._alert_until_ms, self._busy_ms = NEVER_MS, 0, 0
        self._unlisted: list[int] = []
        self._unnoticed = 0
        self._known = bytearray(len(history))
        self._cancelled = bytearray(len(history))
        self._created = self._departed = 0
        self._open: Trip | None = None

    def run(self) -> list[Trip]:
        """Play it all and return the trips in order of time."""
        history = self._history
        for call, at_ms in enumerate(history.created_ms):
            self._depart_before(at_ms)
            self._enter(call, at_ms)
            if self._created % PROGRESS_STEP == 0:
                self._progress(PROGRESS_STEP)
        self._progress(self._created % PROGRESS_STEP)
        self._depart_before(NEVER_MS)
        self._look_before(NEVER_MS)
        self._end_if_quiet(NEVER_MS)
        return self.trips

    def judge(self, at_ms: int) -> None:
        """Apply the rules to what is known at `at_ms`."""
        if self._open is None and self.replay.needs_judging(at_ms):
            self._decide(at_ms)

    def heard_call(self, destination: int, at_ms: int) -> None:
        """Count a call to its destination for the rule `repeat`."""
        self.last_destination = destination
        if destination != NO_DESTINATION:
            self.replay.called(destination, at_ms)

    def _decide(self, at_ms: int) -> None:
        snapshot = self.replay.snapshot(at_ms)
        decision = decide(snapshot, self._policy)
        if decision.finding is None:
            return
        if decision.verdict is Verdict.TRIP_UNQUEUED and snapshot.suspected is None:
            return  # the incident was opened when the finding was new
        if decision.verdict is Verdict.TRIP:
            self._trip(decision.finding, at_ms)
            return
        is_new = self.replay.suspected(decision.finding, at_ms)
        if is_new and self._policy.unqueued is not Unqueued.IGNORE:
            self._open_unqueued(decision.finding, at_ms)
        if is_new and not self._hears_creations:
            self._next_look_ms = min(self._next_look_ms, at_ms + ALERT_POLL_MS)
            self._alert_until_ms = at_ms + SUSPICION_MS

    def _open_unqueued(self, finding: Finding, at_ms: int) -> None:
        """Open an incident without a queue; it lasts until its rule has been calm for `quiet_seconds`."""
        calm_ms = SUSPICION_MS + self._policy.quiet_seconds * 1000
        if self.unqueued and at_ms - self.unqueued[-1].last_ms <= calm_ms:
            self.unqueued[-1].last_ms = at_ms
        else:
            self.unqueued.append(UnqueuedTrip(at_ms, finding, self.last_destination, at_ms))

    def _enter(self, call: int, at_ms: int) -> None:
        history = self._history
        if self._next_look_ms < at_ms:
            self._look_before(at_ms)
        if self._open is not None:
            self._end_if_quiet(at_ms)
        self._created += 1
        if self._hears_creations:
            self._known[call] = 1
            self.replay.entered((at_ms,), at_ms)
            self.heard_call(history.destinations[call], at_ms)
        if history.protected[call]:
            self._hear_of_protected(call, at_ms)
        elif self._open is not None and self._is_caught(call, at_ms):
            self._catch(call, at_ms)
        else:
            self.depth += 1
            self._wait_for_look(call, at_ms)
        if self._hears_creations:
            self.judge(at_ms)

    def _hear_of_protected(self, call: int, at_ms: int) -> None:
        """Count a protected call as any other, but not as one that could be cancelled."""
        if self._hears_creations:
            self.replay.left(1, at_ms)
        else:
            self._wait_for_look(call, at_ms)

    def _wait_for_look(self, call: int, at_ms: int) -> None:
        if not self._hears_creations:
            self._unlisted.append(call)
            self._plan_poll(at_ms)

    def _plan_poll(self, at_ms: int) -> None:
        if self._poll_ms:
            self._next_look_ms = min(self._next_look_ms, -(-at_ms // self._poll_ms) * self._poll_ms)

    def _depart_before(self, end_ms: int) -> None:
        history, departures = self._history, self._history.departures
        count = len(departures)
        while self._departed < count:
            call = departures[self._departed]
            at_ms = history.left_ms[call]
            if at_ms >= end_ms or at_ms == NEVER_MS:
                return
            if self._next_look_ms < at_ms:
                self._look_before(at_ms)
            self._departed += 1
            if not self._cancelled[call]:
                if self._open is not None:
                    self._end_if_quiet(at_ms)
                self._depart(call, at_ms)

    def _depart(self, call: int, at_ms: int) -> None:
        history, known = self._history, self._known[call]
        if not history.protected[call]:
            self.depth -= 1
        if not self._hears_dials:
            self._unnoticed += known and not history.protected[call]
            self._plan_poll(at_ms)
            return
        if history.dialled[call]:
            if not known:
                self.heard_call(history.destinations[call], at_ms)
            self.replay.dialled(at_ms)
        if known and not history.protected[call]:
            self.replay.left(1, at_ms)
        self._known[call] = 1
        self.judge(at_ms)

    def _look_before(self, at_ms: int) -> None:
        """Read Twilio's list as often as was due before `at_ms`."""
        while self._next_look_ms < at_ms:
            look_ms, self._next_look_ms = self._next_look_ms, NEVER_MS
            self._end_if_quiet(look_ms)
            self._look(look_ms)
            if look_ms < self._alert_until_ms and self._open is None:
                self._next_look_ms = min(self._next_look_ms, look_ms + ALERT_POLL_MS)

    def _look(self, at_ms: int) -> None:
        history = self._history
        listed = [call for call in self._unlisted if not self._known[call] and history.left_ms[call] > at_ms]
        self._unlisted = []
        protected = sum(history.protected[call] for call in listed)
        self.replay.left(self._unnoticed, at_ms)
        self._unnoticed = 0
        self.replay.entered([history.created_ms[call] for call in listed], at_ms)
        self.replay.left(protected, at_ms)
        for call in listed:
            self._known[call] = 1
            self.heard_call(history.destinations[call], history.created_ms[call])
        self.judge(at_ms)

    def _trip(self, finding: Finding, at_ms: int) -> None:
        self._open = Trip(at_ms, finding, self.depth, destination=self.last_destination)
        if self.unqueued and at_ms - self.unqueued[-1].last_ms <= SUSPICION_MS:
            self.unqueued.pop()  # the same incident: its backlog has come up
        self.trips.append(self._open)
        for call in self._queued_calls():
            if self._open.cancelled >= self._policy.max_cancellations:
                break
            self.depth -= 1
            self._cancel(call)
            if self._known[call]:
                self.replay.left(1, at_ms)
        self._unlisted = [call for call in self._unlisted if not self._cancelled[call]]

    def _queued_calls(self) -> list[int]:
        """Return what is queued and may be cancelled, oldest first: calls leave in about the order they came."""
        history, departures = self._history, self._history.departures
        queued: list[int] = []
        place = self._departed
        while len(queued) < self.depth and place < len(departures):
            call = departures[place]
            if call < self._created and not history.protected[call] and not self._cancelled[call]:
                queued.append(call)
            place += 1
        return sorted(queued)

    def _is_caught(self, call: int, at_ms: int) -> bool:
        """Whether a call of an open incident is cancelled: one that nobody reports must be found in a list."""
        if self._open is None or self._open.cancelled >= self._policy.max_cancellations:
            return False
        return self._hears_creations or self._history.left_ms[call] > -(-at_ms // ALERT_POLL_MS) * ALERT_POLL_MS

    def _catch(self, call: int, at_ms: int) -> None:
        if not self._hears_creations:
            self.replay.entered((at_ms,), at_ms)
            self.heard_call(self._history.destinations[call], at_ms)
        self.replay.left(1, at_ms)
        self._cancel(call)

    def _cancel(self, call: int) -> None:
        assert self._open is not None  # noqa: S101  (only an open incident cancels)
        self._cancelled[call] = 1
        self._open.cancelled += 1

    def _end_if_quiet(self, before_ms: int) -> None:
        """Arm again at the moment from which it was quiet, if that was before `before_ms`."""
        trip, policy = self._open, self._policy
        if trip is None:
            return
        if self.replay.cancellable >= policy.min_backlog:
            self._busy_ms = before_ms
            return
        quiet_ms, created_ms = policy.quiet_seconds * 1000, self._history.created_ms
        too_many = int(policy.spike_rate * policy.quiet_seconds) + 1
        at_ms = max(trip.at_ms + quiet_ms, self._busy_ms)
        if self._created >= too_many:
            at_ms = max(at_ms, created_ms[self._created - too_many] + quiet_ms)
        if at_ms > before_ms:
            return
        lately = self._created - bisect_right(created_ms, at_ms - quiet_ms, 0, self._created)
        cooling = replace(self.replay.snapshot(at_ms), state=State.COOLING, cooled_ms=trip.at_ms)
        if is_quiet(cooling, policy, lately):
            trip.ended_ms, self._open = at_ms, None
            self.replay.rearmed()
