"""Twilio's unpublished ceiling of requests at once: whether the sweep finds it and stays just below it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

from tests.benchmarks.guard_run import guard_run, wait_at_most
from tests.benchmarks.twilio_process import Truth, twilio_process, watched

CPS = 5
LATENCIES = ((20, 0.1), (50, 0.1), (100, 0.1), (100, 0.3))
"""Ceilings and latencies in seconds. A ceiling of 100 at 100 ms takes 1,000 requests a second, for which two cores
are too few; at 300 ms it takes 333, and what is missing then is the method's."""

SWEEP_SECONDS = 30  # at the ceiling; so many calls are queued
FOUND_SECONDS, MAX_SECONDS = 10.0, 40.0
WANTED_SHARE, MAX_THROTTLED = 0.85, 0.02


def measure() -> Iterator[str]:
    """Yield the lines of the report, as they come."""
    yield f"calls for {SWEEP_SECONDS} s at the ceiling; from {FOUND_SECONDS:g} s after the trip on"
    yield (
        f"  {'ceiling':>7} {'latency':>8} {'calls':>7} {'served/s x latency':>19} {'in flight':>10} {'429':>7}"
        f" {'found':>12}"
    )
    for ceiling, latency in LATENCIES:
        yield f"  {_at(ceiling, latency).line()}"
    yield f"  (wanted: {WANTED_SHARE:.0%} or more of the ceiling in use, under {MAX_THROTTLED:.0%} answered 429;"
    yield f"  found, that is {WANTED_SHARE:.0%} in use over a second, within {FOUND_SECONDS:g} s of the trip)"


@dataclass(frozen=True)
class _Held:
    """How a sweep has kept to a ceiling. `found_after` is in seconds from the trip."""

    ceiling: int
    latency: float
    calls: int
    before: Sequence[Truth]
    after: Sequence[Truth]
    found_after: float | None

    def line(self) -> str:
        found = "never" if self.found_after is None else f"{self.found_after:.1f} s"
        if len(self.after) < 2:
            over = "the sweep was over before"
            return f"{self.ceiling:>7} {self.latency:>8g} {self.calls:>7,} {over:>38} {found:>12}"
        in_flight = mean(truth.in_flight for truth in self.after) / self.ceiling
        return (
            f"{self.ceiling:>7} {self.latency:>8g} {self.calls:>7,}"
            f" {_use(self.after, self.ceiling, self.latency):>19.0%} {in_flight:>10.0%}"
            f" {_throttled(self.after):>7.2%} {found:>12}   before that 429: {_throttled(self.before):.2%};"
            f" {self.after[-1].at - self.after[0].at:.0f} s looked at"
        )


def _at(ceiling: int, latency: float) -> _Held:
    calls = round(SWEEP_SECONDS * ceiling / latency)
    with (
        twilio_process(cps=CPS, latency=latency, ceiling=ceiling) as twilio,
        guard_run(twilio, cps=CPS) as guard,
        watched(twilio, hertz=10) as seen,
    ):
        twilio.create(calls)
        tripped = guard.wait_for_trip().tripped_ms / 1000
        nearly = max(2 * ceiling, calls // 20)
        wait_at_most(MAX_SECONDS, lambda: seen.samples[-1].queued <= nearly)
        until = next((t.at for t in seen.samples if t.at > tripped and t.queued <= nearly), seen.samples[-1].at)
        before = seen.between(tripped, tripped + FOUND_SECONDS)
        after = seen.between(tripped + FOUND_SECONDS, until)
        found_after = _found_after(seen.between(tripped, until), ceiling, latency)
        return _Held(ceiling, latency, calls, before, after, found_after)


def _found_after(samples: Sequence[Truth], ceiling: int, latency: float) -> float | None:
    """Return the end of the first second in which the ceiling was used as it should be."""
    for first, truth in enumerate(samples):
        within = [later for later in samples[first:] if later.at <= truth.at + 1.05]
        if within[-1].at >= truth.at + 0.9 and _use(within, ceiling, latency) >= WANTED_SHARE:
            return within[-1].at - samples[0].at
    return None


def _use(samples: Sequence[Truth], ceiling: int, latency: float) -> float:
    """Return the share of the ceiling that was in use, by what was served."""
    first, last = samples[0], samples[-1]
    return (last.served - first.served) / (last.at - first.at) * latency / ceiling


def _throttled(samples: Sequence[Truth]) -> float:
    first, last = samples[0], samples[-1]
    throttled = last.throttled - first.throttled
    return throttled / max(1, throttled + last.served - first.served)
