"""The sweep against the dialler on bad days, and where other programs use the account's ceiling too."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.benchmarks.guard_run import guard_run, wait_at_most
from tests.benchmarks.twilio_process import Truth, TwilioProcess, Watched, twilio_process, watched

CALLS, LATENCY, CEILING, MAX_SECONDS = 2000, 0.1, 100, 150.0
HEAD = (
    f"{'':<32} {'CPS':>3} {'cancelled':>9} {'dialled':>7} {'wanted':>6} {'all s':>6} {'at once':>7}"
    f" {'in use':>6} {'429':>6}"
)


def steady(_seconds: float) -> int:
    """Keep half of the ceiling busy."""
    return 50


def changing(seconds: float) -> int:
    """Leave now 15, now 95 of 100, and change every two seconds."""
    return 85 if int(seconds / 2) % 2 == 0 else 5


@dataclass(frozen=True)
class Scene:
    """A day: what the simulated Twilio is told, and how many requests of others are under way after so long."""

    name: str
    faults: dict[str, float] = field(default_factory=dict)
    others: Callable[[float], int] = lambda _seconds: 0


SCENES = (
    Scene("a good day"),
    Scene("10 % 5xx and 5 % 429 at any load", {"error_rate": 0.1, "throttle_rate": 0.05}),
    Scene("others keep half of it busy", others=steady),
    Scene("others leave now 15, now 95", others=changing),
)


def measure() -> Iterator[str]:
    """Yield the lines of the report, as they come."""
    yield f"{CALLS:,} calls queued at once, {LATENCY * 1000:g} ms latency, ceiling {CEILING}; no callbacks"
    yield "dialled: after the trip (wanted: that, or fewer); all: from the trip until none was queued"
    yield "in use: of what others leave of the ceiling, until a tenth of the calls was left (wanted: half or more)"
    yield HEAD
    for cps in (5, 30):
        for scene in SCENES:
            yield _run(scene, cps)


@contextmanager
def _others(twilio: TwilioProcess, scene: Scene, seen: list[tuple[float, int]]) -> Iterator[None]:
    over, began = threading.Event(), time.time()

    def come_and_go() -> None:
        while not over.wait(0.05):
            others = scene.others(time.time() - began)
            if not seen or others != seen[-1][1]:
                twilio.change(others=others)
                seen.append((time.time(), others))

    thread = threading.Thread(target=come_and_go)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _run(scene: Scene, cps: int) -> str:
    others: list[tuple[float, int]] = []
    with (
        twilio_process(cps=cps, latency=LATENCY, ceiling=CEILING) as twilio,
        guard_run(twilio, cps=cps) as guard,
        watched(twilio, hertz=20) as seen,
        _others(twilio, scene, others),
    ):
        twilio.change(faults=scene.faults)
        twilio.create(CALLS)
        tripped = guard.wait_for_trip().tripped_ms / 1000
        wait_at_most(MAX_SECONDS, lambda: seen.samples[-1].queued == 0)
        trip, end = seen.at(tripped), seen.first(lambda t: t.at > tripped and t.queued == 0) or seen.samples[-1]
        return _line(scene, cps, trip, end, _in_use(seen, tripped, others))


def _in_use(seen: Watched, tripped: float, others: list[tuple[float, int]]) -> float:
    """Return the share of what others left that was in use, as it was sampled."""
    samples = [t for t in seen.samples if t.at > tripped and t.queued > CALLS / 10]
    room = sum(CEILING - next((n for at, n in reversed(others) if at <= t.at), 0) for t in samples)
    return sum(t.in_flight for t in samples) / max(1, room)


def _line(scene: Scene, cps: int, trip: Truth, end: Truth, in_use: float) -> str:
    throttled = end.throttled / max(1, end.throttled + end.served)
    return (
        f"{scene.name:<32} {cps:>3} {end.cancelled:>9,} {end.dialled - trip.dialled:>7,} {2 * cps:>6}"
        f" {end.at - trip.at:>6.1f} {end.most_at_once:>7} {in_use:>6.0%} {throttled:>6.1%}"
    )
