"""The sweep against the dialler, and beside it Twilio's own recipe, on accounts of one simulated Twilio."""

import time
from base64 import b64encode
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.benchmarks.guard_run import guard_run, wait_at_most
from tests.benchmarks.load import run_load
from tests.benchmarks.recipe import (
    LIST_OF_LIBRARY,
    MAX_PAGE,
    NO_LIMIT,
    SOCKETS_OF_LIBRARY,
    Recipe,
    RecipeRun,
    follow_all,
    list_queued,
)
from tests.benchmarks.twilio_process import Truth, TwilioProcess, Watched, twilio_process, watched
from tests.stack import SID, TOKEN

CALLS, LATENCY, CEILING = 10_000, 0.1, 100
IDEAL_SECONDS = CALLS * LATENCY / CEILING
WANTED_RATIO = 1.25
GUARD_SECONDS, RECIPE_SECONDS = 120.0, 90.0

# Slow ones run beside each other, as none of them asks much; those at full concurrency have Twilio for themselves.
SLOW = (
    Recipe("recipe as written", SOCKETS_OF_LIBRARY, LIST_OF_LIBRARY, dies=True),
    Recipe("recipe, errors ignored", SOCKETS_OF_LIBRARY, LIST_OF_LIBRARY),
    Recipe("one after another", 1, MAX_PAGE),
)
FAST = (
    Recipe("all at once, as written", NO_LIMIT, MAX_PAGE, dies=True),
    Recipe("all at once, errors ignored", NO_LIMIT, MAX_PAGE),
    Recipe("newest first, 100 at once", CEILING, MAX_PAGE, tries=50),
)
HEAD = f"{'':<28} {'cancelled':>9} {'dialled':>7} {'hung up':>7} {'lost':>6} {'429':>6} {'list s':>6} {'all s':>7}"


def measure_at_5() -> Iterator[str]:
    """Yield the lines of the report at 5 CPS, the most that Twilio's Console gives today."""
    return _measure(5)


def measure_at_30() -> Iterator[str]:
    """Yield the lines of the report at 30 CPS, the most that it gave in former years."""
    return _measure(30)


def _measure(cps: int) -> Iterator[str]:
    yield f"{CALLS:,} calls queued at once, {LATENCY * 1000:g} ms latency, ceiling {CEILING}; no callbacks"
    yield "dialled: after the trip, or after the script's start; hung up: people who were talking; lost: still"
    yield "queued at the end; list: until the script knew what to cancel; all: until it ended, or none was queued"
    scripts = len(SLOW) + len(FAST)
    sids = [SID, *(f"AC{number:032x}" for number in range(scripts + 1))]
    with twilio_process(*sids, cps=cps, latency=LATENCY, ceiling=CEILING) as twilio:
        guarded = _guard(twilio, cps)
        yield HEAD
        yield guarded.line()
        yield from _recipes(twilio, list(zip(SLOW, sids[1:], strict=False)))
        for recipe, sid in zip(FAST, sids[1 + len(SLOW) :], strict=False):
            yield from _recipes(twilio, [(recipe, sid)])
        floor = _floor(twilio, sids[-1])
    yield f"{'the floor of this machine':<28} {floor:>56.1f}  prepared requests, {CEILING} at once, nothing else"
    yield from guarded.verdict(cps, floor)


def _floor(twilio: TwilioProcess, sid: str) -> float:
    """Return how long the bare requests take: no list, no store, no thinking."""
    twilio.create(CALLS, sid)
    host, port = urlsplit(twilio.url).hostname or "", urlsplit(twilio.url).port or 0
    basic = b64encode(f"{sid}:{TOKEN}".encode()).decode()
    head = f"Host: {host}\r\nAuthorization: Basic {basic}\r\nContent-Type: application/x-www-form-urlencoded\r\n"
    path, body = f"/2010-04-01/Accounts/{sid}/Calls", "Status=canceled"
    requests = [
        f"POST {path}/{call}.json HTTP/1.1\r\n{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()
        for call in reversed(list_queued(twilio.url, sid))
    ]
    return run_load(host, port, requests, CEILING).seconds


@dataclass(frozen=True)
class _Guarded:
    """What the guard has done, from its trip on."""

    trip: Truth
    end: Truth
    is_over: bool
    tripped_after: float
    hung_up: int

    @property
    def seconds(self) -> float:
        return self.end.at - self.trip.at

    @property
    def dialled(self) -> int:
        return self.end.dialled - self.trip.dialled

    def line(self) -> str:
        return _line(
            "the guard", self.end.cancelled, self.dialled, self.hung_up, self.end.queued,
            self.end.throttled, 0.0, self.seconds,
        )  # fmt: skip

    def verdict(self, cps: int, floor: float) -> Iterator[str]:
        share = self.end.throttled / max(1, self.end.throttled + self.end.served)
        over = "" if self.is_over else f"; stopped with {self.end.queued:,} queued"
        yield f"the guard tripped {self.tripped_after:.1f} s after the first call was created; from then on"
        yield f"  {self.seconds:.1f} s until none was queued{over}"
        yield (
            f"  {self.seconds / IDEAL_SECONDS:.2f} of calls x latency / ceiling (wanted: {WANTED_RATIO} at most),"
            f" {self.seconds / floor:.2f} of the floor"
        )
        yield f"  lost {self.end.queued:,} (wanted: 0); dialled {self.dialled} (wanted: {2 * cps} at most)"
        yield f"  answered 429: {self.end.throttled:,} ({share:.1%}); most at once {self.end.most_at_once}"


def _guard(twilio: TwilioProcess, cps: int) -> _Guarded:
    with guard_run(twilio, cps=cps) as guard:
        began = time.time()
        with watched(twilio, hertz=20) as seen:
            twilio.create(CALLS)
            tripped = guard.wait_for_trip().tripped_ms / 1000
            is_over = wait_at_most(GUARD_SECONDS, lambda: _is_empty(seen))
        end = seen.first(lambda truth: truth.at > tripped and truth.queued == 0) or seen.samples[-1]
        trip = seen.at(tripped)
        return _Guarded(trip, end, is_over, tripped - began, twilio.hung_up())


def _is_empty(seen: Watched) -> bool:
    last = seen.samples[-1]
    return last.created == CALLS and last.queued == 0


def _recipes(twilio: TwilioProcess, recipes: list[tuple[Recipe, str]]) -> Iterator[str]:
    before = {}
    for _, sid in recipes:
        twilio.create(CALLS, sid)
        before[sid] = twilio.truth(sid)
    for run, (_, sid) in zip(follow_all(recipes, twilio.url, RECIPE_SECONDS), recipes, strict=True):
        yield f"{_recipe_line(run, before[sid], twilio.truth(sid), twilio.hung_up(sid))}"


def _recipe_line(run: RecipeRun, before: Truth, after: Truth, hung_up: int) -> str:
    line = _line(
        run.recipe.name, after.cancelled, after.dialled - before.dialled, hung_up, after.queued,
        after.throttled, run.list_seconds, run.seconds,
    )  # fmt: skip
    if run.died:
        return f"{line}  ended by {run.died}, {run.answered:,} updates in"
    if run.was_stopped:
        return f"{line}  stopped by us; at this pace {run.projected_seconds:,.0f} s"
    return line


def _line(
    name: str, cancelled: int, dialled: int, hung_up: int, lost: int, throttled: int, *seconds: float
) -> str:
    listed, whole = seconds
    return (
        f"{name:<28} {cancelled:>9,} {dialled:>7,} {hung_up:>7,} {lost:>6,} {throttled:>6,}"
        f" {listed:>6.1f} {whole:>7.1f}"
    )
