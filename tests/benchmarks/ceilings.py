"""Twilio's unpublished ceiling of requests at once: whether the sweep finds it and stays just below it."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from statistics import mean

from tests.benchmarks.guard_run import guard_run, wait_at_most
from tests.benchmarks.twilio_process import Truth, twilio_process, watched

CEILINGS, LATENCY, CPS = (20, 50, 100), 0.1, 5
SWEEP_SECONDS = 30  # at the ceiling; so many calls are queued
FOUND_SECONDS, MOST_SECONDS = 10.0, 40.0
WANTED_SHARE, MOST_THROTTLED = 0.85, 0.02


def measure() -> Iterator[str]:
    """Yield the lines of the report, as they come."""
    yield f"{LATENCY * 1000:g} ms latency, calls for {SWEEP_SECONDS} s at the ceiling; from 10 s after the trip on"
    yield f"  {'ceiling':>7} {'calls':>7} {'served/s x latency':>19} {'in flight':>10} {'429':>7} {'found':>12}"
    for ceiling in CEILINGS:
        yield f"  {_at(ceiling).line()}"
    yield f"  (wanted: {WANTED_SHARE:.0%} or more of the ceiling in use, under {MOST_THROTTLED:.0%} answered 429;"
    yield f"  found, that is {WANTED_SHARE:.0%} in use over a second, within {FOUND_SECONDS:g} s of the trip)"


@dataclass(frozen=True)
class _Held:
    """How a sweep has kept to a ceiling. `found_after` is in seconds from the trip."""

    ceiling: int
    calls: int
    before: Sequence[Truth]
    after: Sequence[Truth]
    found_after: float | None

    def line(self) -> str:
        found = "never" if self.found_after is None else f"{self.found_after:.1f} s"
        if len(self.after) < 2:
            return f"{self.ceiling:>7} {self.calls:>7,} {'the sweep was over before':>47} {found:>12}"
        in_flight = mean(truth.in_flight for truth in self.after) / self.ceiling
        return (
            f"{self.ceiling:>7} {self.calls:>7,} {_use(self.after, self.ceiling):>19.0%} {in_flight:>10.0%}"
            f" {_throttled(self.after):>7.2%} {found:>12}   before that 429: {_throttled(self.before):.2%};"
            f" {self.after[-1].at - self.after[0].at:.0f} s looked at"
        )


def _at(ceiling: int) -> _Held:
    calls = round(SWEEP_SECONDS * ceiling / LATENCY)
    with (
        twilio_process(cps=CPS, latency=LATENCY, ceiling=ceiling) as twilio,
        guard_run(twilio, cps=CPS) as guard,
        watched(twilio, hertz=10) as seen,
    ):
        twilio.create(calls)
        tripped = guard.wait_for_trip().tripped_ms / 1000
        nearly = max(2 * ceiling, calls // 20)
        wait_at_most(MOST_SECONDS, lambda: seen.samples[-1].queued <= nearly)
        until = next((t.at for t in seen.samples if t.at > tripped and t.queued <= nearly), seen.samples[-1].at)
        before = seen.between(tripped, tripped + FOUND_SECONDS)
        after = seen.between(tripped + FOUND_SECONDS, until)
        return _Held(ceiling, calls, before, after, _found_after(seen.between(tripped, until), ceiling))


def _found_after(samples: Sequence[Truth], ceiling: int) -> float | None:
    """Return the end of the first second in which the ceiling was used as it should be."""
    for first, truth in enumerate(samples):
        within = [later for later in samples[first:] if later.at <= truth.at + 1.05]
        if within[-1].at >= truth.at + 0.9 and _use(within, ceiling) >= WANTED_SHARE:
            return within[-1].at - samples[0].at
    return None


def _use(samples: Sequence[Truth], ceiling: int) -> float:
    """Return the share of the ceiling that was in use, by what was served."""
    first, last = samples[0], samples[-1]
    return (last.served - first.served) / (last.at - first.at) * LATENCY / ceiling


def _throttled(samples: Sequence[Truth]) -> float:
    first, last = samples[0], samples[-1]
    throttled = last.throttled - first.throttled
    return throttled / max(1, throttled + last.served - first.served)
