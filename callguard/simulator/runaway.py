"""A runaway script, played inside the simulator: calls created at a rate, as if by REST but for its costs."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic

from callguard.simulator.calls import Call, NewCall, StatusCallback
from callguard.simulator.rate_queue import QueueFullError
from callguard.simulator.truth import RunawayTruth

_STEP_SECONDS = 0.01
_CALLS_PER_STEP = 200  # so that other requests are served in between


@dataclass(frozen=True, slots=True)
class RunawayPlan:
    """How many calls, how many a second (0: as fast as possible), from which number to which.

    With `to` None every call goes to another number. Raises `ValueError` for negative figures.
    """

    calls: int
    rate: float = 0.0
    from_number: str = "+15550100000"
    to: str | None = None
    callback: StatusCallback | None = None

    def __post_init__(self) -> None:
        if self.calls < 0 or self.rate < 0:
            raise ValueError("calls and rate must be 0 or more")

    def order(self, number: int) -> NewCall:
        """What the call with that number, counted from 0, asks for."""
        to = self.to or f"+1555{2_000_000 + number % 8_000_000:07d}"
        return NewCall(to, self.from_number, self.callback)


class Runaway:
    """At most one runaway at a time; starting another ends the first."""

    def __init__(self, create: Callable[[NewCall], Call]) -> None:
        self._create = create
        self._truth = RunawayTruth()
        self._task: asyncio.Task[None] | None = None

    def truth(self) -> RunawayTruth:
        """How far the latest runaway has come."""
        return replace(self._truth, running=self._task is not None and not self._task.done())

    def start(self, plan: RunawayPlan) -> None:
        """Start it and return at once."""
        self.stop()
        self._truth = RunawayTruth(asked=plan.calls)
        self._task = asyncio.get_running_loop().create_task(self._run(plan))

    def stop(self) -> None:
        """End it, if one is running. It creates no call after this."""
        if self._task is not None:
            self._task.cancel()
            self._task = None

    async def _run(self, plan: RunawayPlan) -> None:
        started, done = monotonic(), 0
        while True:
            # A script's first call comes at once, hence the 1.
            due = 1 + int(plan.rate * (monotonic() - started)) if plan.rate else plan.calls
            upto = min(due, plan.calls, done + _CALLS_PER_STEP)
            for number in range(done, upto):
                self._create_one(plan.order(number))
            done = upto
            if done >= plan.calls:
                return
            await asyncio.sleep(0 if done < due else _STEP_SECONDS)

    def _create_one(self, order: NewCall) -> None:
        truth = self._truth
        try:
            self._create(order)
        except QueueFullError:
            self._truth = replace(truth, rejected=truth.rejected + 1)
        else:
            self._truth = replace(truth, created=truth.created + 1)
