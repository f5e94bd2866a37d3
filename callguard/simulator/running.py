"""A simulator in a background thread, for tests, benchmarks and the sandbox."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from typing import Any, TypeAlias, TypeVar

from callguard.simulator.config import SimulatorConfig
from callguard.simulator.runaway import RunawayPlan
from callguard.simulator.server import Simulator
from callguard.simulator.truth import AccountTruth, UpdateRecord

Answer = TypeVar("Answer")
_Started: TypeAlias = "Future[tuple[RunningSimulator, asyncio.Event]]"


class RunningSimulator:
    """A running simulator, asked and steered from any thread. Methods raise `KeyError` for an unknown SID."""

    def __init__(self, simulator: Simulator, loop: asyncio.AbstractEventLoop) -> None:
        self._simulator = simulator
        self.loop = loop
        self.url = simulator.url
        self.port = simulator.port

    def account(self, sid: str) -> AccountTruth:
        """Return the account's present state."""
        return self._ask(self._simulator.accounts[sid].truth)

    def updates(self, sid: str, since: int = 0) -> list[UpdateRecord]:
        """The update requests after that number, oldest first."""
        return self._ask(lambda: self._simulator.accounts[sid].updates.since(since))

    def statuses(self, sid: str) -> dict[str, str]:
        """The status of each call, by SID, in order of creation."""

        def statuses() -> dict[str, str]:
            account = self._simulator.accounts[sid]
            account.now()
            return {call.sid: str(call.status) for call in account.model.calls.values()}

        return self._ask(statuses)

    def put_on_hold(self, sid: str, call_sid: str, queue: str) -> None:
        """Put a call in progress into a hold queue, as `<Enqueue>` would. Raises `ValueError` for any other."""
        self._ask(lambda: self._simulator.accounts[sid].put_on_hold(call_sid, queue))

    def on_hold(self, sid: str, queue: str) -> list[str]:
        """The calls in a hold queue, the first to be served first."""

        def members() -> list[str]:
            account = self._simulator.accounts[sid]
            account.now()
            return [call for held in account.model.hold.all if held.name == queue for call in held.members]

        return self._ask(members)

    def change(self, sid: str, **changes: Any) -> None:
        """Change `cps`, `latency`, `ceiling`, `faults` (a mapping). Raises `ValueError`, `TypeError`."""
        self._ask(lambda: self._simulator.accounts[sid].change(changes))

    def change_faults(self, sid: str, **faults: float) -> None:
        """Change some of the account's faults, named as in `Faults`."""
        self.change(sid, faults=faults)

    def start_runaway(self, sid: str, plan: RunawayPlan) -> None:
        """Start creating calls; returns at once, and `account(sid).runaway` tells how far it is."""
        self._ask(lambda: self._simulator.accounts[sid].runaway.start(plan))

    def _ask(self, question: Callable[[], Answer]) -> Answer:
        async def answer() -> Answer:
            return question()

        return asyncio.run_coroutine_threadsafe(answer(), self.loop).result(timeout=30)


@contextmanager
def running(config: SimulatorConfig | None = None) -> Iterator[RunningSimulator]:
    """Run a simulator in a thread with an event loop of its own while the context lasts.

    Raises what the start raises, such as `OSError` for a port that is taken. Leaving closes all sockets.
    """
    started: _Started = Future()
    thread = threading.Thread(target=_run, args=(config or SimulatorConfig(), started), name="simulated-twilio")
    thread.start()
    try:
        simulator, stopped = started.result()
    except BaseException:
        thread.join()
        raise
    try:
        yield simulator
    finally:
        simulator.loop.call_soon_threadsafe(stopped.set)
        thread.join()


def _run(config: SimulatorConfig, started: _Started) -> None:
    async def serve() -> None:
        stopped, loop = asyncio.Event(), asyncio.get_running_loop()
        async with Simulator(config) as simulator:
            started.set_result((RunningSimulator(simulator, loop), stopped))
            await stopped.wait()

    try:
        asyncio.run(serve())
    except BaseException as error:
        if started.done():
            raise
        started.set_exception(error)
