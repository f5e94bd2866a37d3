"""A model of Twilio on a virtual clock: a sweep of minutes takes the time of its arithmetic, and no more."""

import asyncio
import random
import selectors
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from callguard.cancel.sweep import Sweep
from callguard.domain.concurrency import ConcurrencyLimit
from callguard.domain.replies import CancelReply
from callguard.domain.tally import Outcome
from callguard.errors import TwilioThrottled, TwilioUnavailable

NO_CAP = 10**9


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


def nobody(_now: float) -> float:
    """Return that no other program has requests under way."""
    return 0.0


@dataclass(frozen=True)
class World:
    """A Twilio, and what its day is like. Times are in seconds, shares are from 0 to 1.

    Attributes:
        ceiling: how many requests of the account may be under way.
        latency: of every answer, spread by `jitter`, a share of it.
        throttled: the share of requests that is refused whatever the load.
        failed: the share that is answered with 5xx.
        others: says how many requests of other programs are under way at a moment.
        refusal: how long a 429 takes; None for as long as any other answer.
        failure: the same for a 5xx.
        retry_after: what a 429 asks for.
        tells: whether a 429 has `Twilio-Concurrent-Requests`.
        cps: how many calls are dialled in a second, oldest first.
        seed: of all luck.
    """

    ceiling: int = 100
    latency: float = 0.1
    jitter: float = 0.2
    throttled: float = 0.0
    failed: float = 0.0
    others: Callable[[float], float] = nobody
    refusal: float | None = 0.003
    failure: float | None = None
    retry_after: float | None = None
    tells: bool = False
    cps: float = 30.0
    seed: int = 1


@dataclass
class ModelTwilio:
    """Fulfils `CallCanceller` and `SweepLedger` for calls that were all created at 0.

    Attributes:
        world: how it behaves.
        calls: how many there are.
        order: the calls' places, in the order in which they were attempted.
        use: the share of the room below the ceiling that was in use, until nine tenths of the calls were done.
    """

    world: World
    calls: int
    order: list[int] = field(default_factory=list)
    served: int = 0
    refused: int = 0
    failed: int = 0
    cancelled: int = 0
    dialled: int = 0
    ended_at: float = 0.0
    use: float = 0.0

    def __post_init__(self) -> None:
        """Queue the calls."""
        self._luck = random.Random(self.world.seed)
        self._left = {f"CA{number:06}": number for number in range(self.calls)}
        self._over: dict[str, CancelReply] = {}
        self._under_way, self._at, self._used, self._room = 0, 0.0, 0.0, 0.0

    @property
    def left(self) -> int:
        """Calls that are not settled."""
        return len(self._left)

    @property
    def throttled(self) -> float:
        """The share of all requests that was refused."""
        return self.refused / max(1, self.refused + self.served + self.failed)

    def head(self, count: int) -> Sequence[str]:
        """Return the oldest calls that are not settled."""
        return [sid for sid, _ in zip(self._left, range(count), strict=False)]

    def settle(self, outcomes: Sequence[tuple[str, Outcome]]) -> bool:
        """Count what became of calls."""
        for sid, outcome in outcomes:
            assert self._left.pop(sid, None) is not None, "no call is settled twice"
            self.cancelled += outcome is Outcome.CANCELLED
            self.dialled += outcome is Outcome.DIALLED
        return True

    async def cancel(self, account_sid: str, call_sid: str) -> CancelReply:
        """Cancel the call, unless it has been dialled."""
        del account_sid
        self.order.append(self._left[call_sid])
        await self._answer()
        return self._over.setdefault(call_sid, self._fate(call_sid, CancelReply.CANCELLED))

    async def look_up(self, account_sid: str, call_sid: str) -> CancelReply:
        """Look at it."""
        del account_sid
        await self._answer()
        return self._over.get(call_sid) or self._fate(call_sid, CancelReply.STILL_QUEUED)

    def _fate(self, call_sid: str, otherwise: CancelReply) -> CancelReply:
        return CancelReply.DIALLED if _now() * self.world.cps > self._left[call_sid] + 1 else otherwise

    async def _answer(self) -> None:
        world = self.world
        latency = world.latency * self._luck.uniform(1 - world.jitter, 1 + world.jitter)
        self._count()
        concurrent = self._under_way + world.others(_now())
        if self._luck.random() < world.throttled or concurrent >= world.ceiling:
            self.refused += 1
            await asyncio.sleep(latency if world.refusal is None else world.refusal)
            raise TwilioThrottled("429", world.retry_after, int(concurrent) + 1 if world.tells else None)
        self._under_way += 1
        is_failure = self._luck.random() < world.failed
        await asyncio.sleep(world.failure if is_failure and world.failure is not None else latency)
        self._count()
        self._under_way -= 1
        if is_failure:
            self.failed += 1
            raise TwilioUnavailable("503")
        self.served += 1

    def _count(self) -> None:
        elapsed, self._at = _now() - self._at, _now()
        self._used += elapsed * self._under_way
        self._room += elapsed * max(0.0, self.world.ceiling - self.world.others(self._at))
        if self.left > 0.1 * self.calls and self._room:
            self.use = self._used / self._room


def _now() -> float:
    return asyncio.get_running_loop().time()


def swept(world: World, calls: int, seconds: float, limit: ConcurrencyLimit | None = None) -> ModelTwilio:
    """Sweep calls, for at most so many virtual seconds, and return what came of it."""
    twilio = ModelTwilio(world, calls)
    random.seed(world.seed)  # the jitter of pauses
    with asyncio.Runner(loop_factory=VirtualLoop) as runner:
        loop = runner.get_loop()
        runner.run(Sweep("AC", twilio, twilio, NO_CAP, limit).run(lambda: loop.time() < seconds))
        twilio.ended_at = loop.time()
    return twilio
