"""The drain estimate against the simulated Twilio's true queue, second by second."""

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory

from callguard.domain.snapshot import State
from callguard.simulator import (
    AccountConfig,
    CallEvent,
    EventSink,
    RunawayPlan,
    RunningSimulator,
    SimulatorConfig,
    StatusCallback,
    running,
)
from tests.stack import SID, Stack, free_port, guard_of
from tests.waiting import wait_until

TOLERANCE_SHARE, TOLERANCE_SECONDS = 0.05, 2.0
CPS = 5.0
EVERYTHING = frozenset(CallEvent)


@dataclass
class Comparison:
    """What was estimated and what was true, once a second."""

    name: str
    pairs: list[tuple[float, float]] = field(default_factory=list)

    def watch(self, twilio: RunningSimulator, guard: Stack, seconds: float) -> None:
        """Compare for a while."""
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            true = twilio.account(SID).drain_seconds
            now_ms = guard.services.clock.now_ms()
            self.pairs.append((guard.stores.tracker.snapshot(SID, now_ms).drain_seconds, true))
            time.sleep(1.0)

    @property
    def worst(self) -> tuple[float, float]:
        """The pair that is farthest from what is tolerated."""
        return max(self.pairs, key=lambda pair: abs(pair[0] - pair[1]) - tolerance(pair[1]))

    @property
    def within(self) -> int:
        """How many seconds were within tolerance."""
        return sum(abs(estimated - true) <= tolerance(true) for estimated, true in self.pairs)

    def line(self) -> str:
        """Return the report's line."""
        estimated, true = self.worst
        longest = max(true for _, true in self.pairs)
        return (
            f"  {self.name:<42} {self.within:>3} of {len(self.pairs):>3} s   "
            f"{estimated:>7.1f} for {true:>6.1f}   {longest:>6.1f}"
        )


def tolerance(true: float) -> float:
    """Return how far an estimate may be from the truth, in seconds."""
    return max(TOLERANCE_SECONDS, TOLERANCE_SHARE * true)


@dataclass
class Scene:
    """A simulated Twilio, and guards that come and go."""

    twilio: RunningSimulator
    folder: Path
    port: int
    name: str

    @contextmanager
    def guard(self, *, watchers: int = 1, **policy: object) -> Iterator[Stack]:
        """Run a guard on the scene's data."""
        wanted = {"cps": CPS, "mode": "observe", **policy}
        with guard_of(self.twilio, self.folder, self.port, wanted, watchers=watchers) as guard:
            since = guard.services.clock.now_ms()
            tracker = guard.stores.tracker
            wait_until(lambda: tracker.snapshot(SID, 0).polled_ms > since, "the first poll is over", timeout=30)
            yield guard

    def create(self, calls: int, rate: float, *, silent: bool = False) -> None:
        """Let a script create calls."""
        url = f"http://127.0.0.1:{self.port}/twilio/status"
        callback = None if silent else StatusCallback(url, events=EVERYTHING)
        self.twilio.start_runaway(SID, RunawayPlan(calls, rate, callback=callback))


@contextmanager
def scene(name: str, *, entrance: bool = True) -> Iterator[Scene]:
    """Set a scene; with `entrance`, Event Streams tell of created calls."""
    with ExitStack() as things:
        folder = Path(things.enter_context(TemporaryDirectory(prefix="callguard-accuracy-")))
        port = free_port()
        sink = EventSink(f"http://127.0.0.1:{port}/twilio/events") if entrance else None
        config = AccountConfig(cps=CPS, latency=0.05, event_sink=sink)
        twilio = things.enter_context(running(SimulatorConfig(accounts=(config,))))
        yield Scene(twilio, folder, port, name)


def steady() -> Comparison:
    """Fewer calls than the account may dial, then a few too many."""
    with scene("steady, 4 calls/s, then 60 at once") as s, s.guard() as guard:
        compared = Comparison(s.name)
        s.create(40, 4)
        compared.watch(s.twilio, guard, 10)
        s.create(60, 0)
        time.sleep(0.5)
        compared.watch(s.twilio, guard, 15)
        return compared


def runaway() -> Comparison:
    """Many more calls than it may dial."""
    with scene("runaway, 100 calls/s for 15 s") as s, s.guard() as guard:
        compared = Comparison(s.name)
        s.create(1500, 100)
        compared.watch(s.twilio, guard, 25)
        return compared


def cancelling() -> Comparison:
    """While the guard cancels, and after."""
    with scene("runaway, mid-cancel and after it") as s, s.guard(mode="enforce", quiet_seconds=5) as guard:
        compared = Comparison(s.name)
        s.create(1500, 100)
        compared.watch(s.twilio, guard, 40)
        state = guard.stores.tracker.snapshot(SID, 0).state
        if state in (State.TRIPPED, State.DRAINING):
            raise RuntimeError(f"the drain is not over: {state}")
        return compared


def wrong_cps(configured: float) -> Callable[[], Comparison]:
    """Return the comparison with a CPS that is configured wrong."""

    def compare() -> Comparison:
        with scene(f"CPS configured {configured:g}, truly {CPS:g}") as s, s.guard(cps=configured) as guard:
            compared = Comparison(s.name)
            s.create(400, 40)
            compared.watch(s.twilio, guard, 40)
            return compared

    return compare


def polling_only() -> Comparison:
    """Calls come and leave without a word; only Twilio's list tells of them."""
    with scene("no callbacks, no events: polls only", entrance=False) as s, s.guard(poll_seconds=1) as guard:
        compared = Comparison(s.name)
        s.create(300, 0, silent=True)
        time.sleep(2.5)
        compared.watch(s.twilio, guard, 30)
        return compared


def two_watchers() -> Comparison:
    """Two watchers over one account."""
    with scene("two watchers") as s, s.guard(watchers=2) as guard:
        compared = Comparison(s.name)
        s.create(1000, 100)
        compared.watch(s.twilio, guard, 20)
        return compared


def restart() -> Comparison:
    """Everything but Twilio is ended amid a runaway, and started again on its data."""
    with scene("restart of everything amid a runaway") as s:
        compared = Comparison(s.name)
        with s.guard() as guard:
            s.create(1500, 50)
            compared.watch(s.twilio, guard, 10)
        with s.guard() as guard:
            compared.watch(s.twilio, guard, 25)
        return compared


SCENES = (steady, runaway, cancelling, wrong_cps(1), wrong_cps(30), polling_only, two_watchers, restart)


def measure() -> list[str]:
    """Return the lines of the report."""
    return [
        f"  {'':<42} {'within':>12}   {'worst, in seconds':>18}   {'longest':>6}",
        *(compare().line() for compare in SCENES),
        "  (wanted: within 5 % or 2 s, whichever is larger, at every second)",
    ]
