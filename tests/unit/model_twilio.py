"""A model of Twilio on a virtual clock: a sweep of minutes takes the time of its arithmetic, and no more."""

import asyncio
import selectors
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from random import Random
from unittest.mock import patch

from callguard.domain.concurrency import ConcurrencyLimit
from callguard.domain.incidents import Outcome
from callguard.drain import sweep as sweep_module
from callguard.drain.sweep import Sweep
from callguard.ports import CancelReply, TwilioThrottled, TwilioUnavailable


class _Leap(selectors.SelectSelector):
    """Waits for nothing: the clock leaps to when the loop would have been woken."""

    now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        self.now += max(0.0, timeout or 0.0)
        return super().select(0)


class VirtualLoop(asyncio.SelectorEventLoop):
    """An event loop whose clock starts at 0 and leaps."""

    def __init__(self) -> None:
        self._leap = _Leap()
        super().__init__(self._leap)

    def time(self) -> float:
        """Return the virtual time in seconds."""
        return self._leap.now


@dataclass(frozen=True)
class World:
    """A Twilio, and how its day is. Times are in seconds, ratios shares of all answers.

    `others` says how many requests of other programs are under way at a moment. `refusal` is how long a 429
    takes; `failure` how long a 5xx; both as long as any answer if None. `retry_after` is what a 429 asks for.
    `tells` is whether it has `Twilio-Concurrent-Requests`.
    """

    ceiling: int = 100
    latency: float = 0.1
    jitter: float = 0.2
    throttled: float = 0.0
    failed: float = 0.0
    others: Callable[[float], float] = lambda _: 0.0
    refusal: float | None = 0.003
    failure: float | None = None
    retry_after: float | None = None
    tells: bool = False
    cps: float = 5.0
    seed: int = 1


@dataclass
class ModelTwilio:
    """Fulfils `CallCanceller` and `SweepLedger`: calls are dialled from the oldest on, at the world's rate."""

    world: World
    calls: int
    under_way: int = 0
    busy: float = 0.0
    room: float = 0.0
    served: int = 0
    refused: int = 0
    failed: int = 0
    cancelled: int = 0
    dialled: int = 0
    order: list[int] = field(default_factory=list)
    done_at: float = 0.0
    marks: list[tuple[float, int, int]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = Random(self.world.seed)
        self.left = {f"CA{number:06}": number for number in range(self.calls)}
        self.over: dict[str, CancelReply] = {}
        self._at = 0.0

    def head(self, count: int) -> Sequence[str]:
        calls = iter(self.left)
        return [sid for sid, _ in zip(calls, range(count), strict=False)]

    def settle(self, outcomes: Sequence[tuple[str, Outcome]]) -> bool:
        for sid, outcome in outcomes:
            if self.left.pop(sid, None) is not None:
                self.cancelled += outcome is Outcome.CANCELLED
                self.dialled += outcome is Outcome.DIALLED
        return True

    async def cancel(self, account_sid: str, call_sid: str) -> CancelReply:
        self.order.append(int(call_sid[2:]))
        await self._answer()
        number = int(call_sid[2:])
        is_dialled = _now() * self.world.cps > number + 1
        return self.over.setdefault(call_sid, CancelReply.DIALLED if is_dialled else CancelReply.CANCELLED)

    async def look_up(self, account_sid: str, call_sid: str) -> CancelReply:
        await self._answer()
        if call_sid in self.over:
            return self.over[call_sid]
        is_dialled = _now() * self.world.cps > int(call_sid[2:]) + 1
        return CancelReply.DIALLED if is_dialled else CancelReply.STILL_QUEUED

    async def _answer(self) -> None:
        world, luck = self.world, self.random
        latency = world.latency * luck.uniform(1 - world.jitter, 1 + world.jitter)
        self._count()
        others = world.others(_now())
        if luck.random() < world.throttled or self.under_way + others >= world.ceiling:
            concurrent = int(self.under_way + others) + 1 if world.tells else None
            self.refused += 1
            await asyncio.sleep(latency if world.refusal is None else world.refusal)
            raise TwilioThrottled("429", world.retry_after, concurrent)
        self.under_way += 1
        is_failure = luck.random() < world.failed
        await asyncio.sleep(world.failure if is_failure and world.failure is not None else latency)
        self._count()
        self.under_way -= 1
        if is_failure:
            self.failed += 1
            raise TwilioUnavailable("503")
        self.served += 1

    def _count(self) -> None:
        now = _now()
        self.busy += (now - self._at) * self.under_way
        self.room += (now - self._at) * max(0.0, self.world.ceiling - self.world.others(self._at))
        self._at = now
        if len(self.left) > 0.1 * self.calls or now < 0.01:
            self.use_at_full = self.busy / max(1e-9, self.room)

    @property
    def use(self) -> float:
        """The share of the room that was in use."""
        return self.use_at_full

    @property
    def throttled(self) -> float:
        """The share of requests that were refused."""
        return self.refused / max(1, self.refused + self.served + self.failed)


def _now() -> float:
    return asyncio.get_running_loop().time()


def swept(world: World, calls: int, seconds: float, limit: ConcurrencyLimit | None = None) -> ModelTwilio:
    """Sweep calls for at most so many virtual seconds."""
    twilio = ModelTwilio(world, calls)
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        with patch.object(sweep_module.time, "monotonic", loop.time):
            sweep = Sweep("AC", twilio, twilio, 10**9, limit)

            async def sweeping() -> None:
                async def watch():
                    while True:
                        await asyncio.sleep(0.05)
                        twilio.marks.append((loop.time(), sweep.limit.allowed, twilio.under_way, round(sweep.limit._baseline.share, 3)))

                task = asyncio.create_task(watch())
                await sweep.run(lambda: loop.time() < seconds)
                task.cancel()

            runner.run(sweeping())
            twilio.done_at = loop.time()
    return twilio
