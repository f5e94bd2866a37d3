"""Replays an account call by call in memory, with the rules' own arithmetic.

Keeps in memory what `store/lua` keeps in Redis, so that the same pure rules can judge an account's history, or
made-up traffic, as fast as it can be read. A million calls make millions of changes, so changing values are plain
fields. The values of `rates` and `plateau` are made only for a snapshot; tests hold the two to the same
arithmetic.
"""

from collections import deque
from collections.abc import Hashable, Sequence
from dataclasses import replace

from callguard.domain.campaigns import Wake
from callguard.domain.drain_time import horizon_after
from callguard.domain.policy import Policy
from callguard.domain.rates import FULL_SHARE, LeakyBucket, Plateau, gap_calls
from callguard.domain.snapshot import SUSPICION_MS, Finding, Repeats, Snapshot, Suspicion


class Replay:
    """What the guard would know of one account. Feed it news in the order in which the guard would hear it."""

    def __init__(self, policy: Policy) -> None:
        """Begin with an empty queue, armed."""
        self._policy = policy
        self._queued = _Bucket(policy.spike_rate, policy.spike_burst * 2)
        self._initiated = _Bucket(policy.initiated_rate, policy.initiated_burst * 2)
        self._plateau = _Line(policy.cps)
        self._wake = Wake()
        self._repeats = _RepeatCounter(policy.repeat_limit, policy.repeat_window_seconds * 1000)
        self._suspicion: Suspicion | None = None
        self._counted_ms = 0.0
        self._shallow_ms = 0
        self._campaign_ms = 0
        self._announced = 0
        self.cancellable = 0

    def entered(self, created_ms: Sequence[int], heard_ms: int, *, announced: bool = False) -> None:
        """Take calls that entered the queue at `created_ms`, which ascend; the guard hears of them at `heard_ms`.

        A source that reports each call at its creation gives one call at a time.
        """
        for at_ms in created_ms:
            self._counted_ms = horizon_after(self._counted_ms, at_ms, self._policy.cps)
        if announced:
            self._announced += len(created_ms)
            self._campaign_ms = heard_ms
        else:
            self.cancellable += len(created_ms)
            self._queued.pour(created_ms)
        self._note_depth(heard_ms)

    def called(self, destination: Hashable, at_ms: int) -> int:
        """Count a call to a destination, at `at_ms`, for `repeat`; return how often it was called lately."""
        return self._repeats.count(destination, at_ms)

    def dialled(self, at_ms: int, *, announced: bool = False) -> None:
        """Take the news, at `at_ms`, that a call has been dialled."""
        if announced or self._wake.announced_ms:
            self._wake = self._wake.after(at_ms, self._policy.cps, announced=announced)
        if not announced and not self._wake.covers(at_ms):
            self._initiated.pour((at_ms,))
            self._plateau.lengthen(at_ms)

    def left(self, count: int, at_ms: int, *, announced: bool = False) -> None:
        """Take the news, at `at_ms`, that `count` calls have left the queue."""
        if announced:
            self._announced -= count
        else:
            self.cancellable -= count
        self._note_depth(at_ms)

    def suspected(self, finding: Finding, at_ms: int) -> bool:
        """Remember a rule crossed without a backlog; False while an earlier suspicion is still remembered."""
        if self._is_suspicious(at_ms):
            return False
        self._suspicion = Suspicion(finding, at_ms)
        return True

    def rearmed(self) -> None:
        """Forget what led to the trip: the guard was armed again."""
        self._queued.level = self._initiated.level = 0.0
        self._plateau.at_ms = 0
        self._repeats.most = replace(self._repeats.most, count=0)
        self._suspicion = None

    def needs_judging(self, now_ms: int) -> bool:
        """Return False where judging the snapshot of `now_ms` would change nothing, which is the usual case.

        Cheap bounds decide it, such as the level of a bucket as of its last call.
        """
        policy = self._policy
        if self._is_suspicious(now_ms):
            return self.cancellable >= policy.min_backlog
        most = self._repeats.most
        return (
            self._queued.level >= policy.spike_burst
            or self._initiated.level >= policy.initiated_burst
            or self.cancellable > policy.max_backlog
            or (most.count >= policy.repeat_limit and now_ms - most.at_ms <= SUSPICION_MS)
            or self._plateau.seconds_at(now_ms) >= policy.plateau_seconds
            or self._live_drain_seconds(now_ms) > policy.max_drain_seconds
        )

    def figures(self, now_ms: int) -> tuple[float, float, float, float]:
        """Return what the rules compare: the levels of both buckets, seconds of plateau, seconds of live drain."""
        return (
            self._queued.level_at(now_ms),
            self._initiated.level_at(now_ms),
            self._plateau.seconds_at(now_ms),
            self._live_drain_seconds(now_ms),
        )

    def snapshot(self, now_ms: int) -> Snapshot:
        """Return what is known at `now_ms`; the guard is armed."""
        return Snapshot(
            now_ms=now_ms,
            cancellable=self.cancellable,
            announced=self._announced,
            queued=self._queued.value(),
            initiated=self._initiated.value(),
            plateau=self._plateau.value(),
            repeats=self._repeats.most,
            counted_ms=self._counted_ms,
            shallow_ms=self._shallow_ms,
            campaign_ms=self._campaign_ms,
            suspicion=self._suspicion,
        )

    def _is_suspicious(self, now_ms: int) -> bool:
        return self._suspicion is not None and now_ms - self._suspicion.since_ms <= SUSPICION_MS

    def _live_drain_seconds(self, now_ms: int) -> float:
        return max(0.0, min((self._counted_ms - now_ms) / 1000, self.cancellable / self._policy.cps))

    def _note_depth(self, now_ms: int) -> None:
        if self._announced:
            self._campaign_ms = now_ms
        if self.cancellable < self._policy.min_backlog:
            self._shallow_ms = now_ms


class _Bucket:
    """A `LeakyBucket` that is changed in place."""

    __slots__ = ("_most", "_onset_ms", "_rate", "_updated_ms", "level")

    def __init__(self, rate: float, most: float) -> None:
        self._rate, self._most = rate, most
        self.level = 0.0
        self._updated_ms = self._onset_ms = 0

    def pour(self, times_ms: Sequence[int]) -> None:
        if times_ms and times_ms[0] < self._updated_ms:
            self._pour_late(times_ms)
            return
        for at_ms in times_ms:
            level = self.level - self._rate * (at_ms - self._updated_ms) / 1000
            if level <= 0:
                level, self._onset_ms = 0.0, at_ms
            level += 1
            self.level = level if level < self._most else self._most
            self._updated_ms = at_ms

    def level_at(self, now_ms: int) -> float:
        level = self.level - self._rate * max(0, now_ms - self._updated_ms) / 1000
        return level if level > 0 else 0.0

    def value(self) -> LeakyBucket:
        return LeakyBucket(self.level, self._updated_ms, self._onset_ms)

    def _pour_late(self, times_ms: Sequence[int]) -> None:
        after = self.value().poured(times_ms, self._rate, self._most)
        self.level, self._updated_ms, self._onset_ms = after.level, after.updated_ms, after.onset_ms


class _Line:
    """A `Plateau` that is changed in place."""

    __slots__ = ("_deficit", "_full", "_gap", "_since_ms", "at_ms")

    def __init__(self, cps: float) -> None:
        self._full, self._gap = FULL_SHARE * cps, gap_calls(cps)
        self._since_ms = self.at_ms = 0
        self._deficit = 0.0

    def lengthen(self, at_ms: int) -> None:
        deficit = self._deficit_at(at_ms)
        if not self.at_ms or deficit > self._gap:
            self._since_ms, self.at_ms, self._deficit = at_ms, at_ms, 0.0
            return
        self._deficit = deficit - 1 if deficit > 1 else 0.0
        if at_ms > self.at_ms:
            self.at_ms = at_ms

    def seconds_at(self, now_ms: int) -> float:
        if not self.at_ms or self._deficit_at(now_ms) > self._gap:
            return 0.0
        return max(0, now_ms - self._since_ms) / 1000

    def value(self) -> Plateau:
        return Plateau(self._since_ms, self.at_ms, self._deficit)

    def _deficit_at(self, now_ms: int) -> float:
        elapsed_ms = now_ms - self.at_ms
        return self._deficit + self._full * elapsed_ms / 1000 if elapsed_ms > 0 else self._deficit


class _RepeatCounter:
    """The latest calls to each destination. A destination that was called once costs one number."""

    _FEW = 10_000

    def __init__(self, limit: int, window_ms: int) -> None:
        self.most = Repeats()
        self._limit, self._window_ms = limit, window_ms
        self._lately: dict[Hashable, int | deque[int]] = {}
        self._sweep_above = self._FEW

    def count(self, destination: Hashable, at_ms: int) -> int:
        earlier = self._lately.get(destination)
        if earlier is None:
            self._lately[destination] = at_ms
            if len(self._lately) > self._sweep_above:
                self._sweep(at_ms)
            return 1
        if isinstance(earlier, int):
            self._lately[destination] = earlier = deque((earlier,), maxlen=self._limit)
        return self._count_again(earlier, at_ms)

    def _count_again(self, times: deque[int], at_ms: int) -> int:
        times.append(at_ms)
        while times[0] < at_ms - self._window_ms:
            times.popleft()
        seen, count = self.most, len(times)
        if count > 1 and (count >= seen.count or at_ms - seen.at_ms > self._window_ms):
            self.most = Repeats(count, times[0], at_ms)
        return count

    def _sweep(self, now_ms: int) -> None:
        """Forget destinations that were not called lately, so that a long history does not fill the memory."""
        begin_ms = now_ms - self._window_ms
        self._lately = {
            destination: times
            for destination, times in self._lately.items()
            if (times if isinstance(times, int) else times[-1]) >= begin_ms
        }
        self._sweep_above = max(self._FEW, 2 * len(self._lately))
