"""Made-up traffic: ordinary days with hourly batches, one announced campaign, and runaways on top."""

import math
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import IntEnum
from random import Random

SECOND_MS, HOUR_MS, DAY_MS = 1000, 3_600_000, 86_400_000

CUSTOMERS = 20_000
CALLS_A_MINUTE, SWING, BUSIEST_HOUR = 6.0, 0.8, 14
BATCH_CALLS, BATCH_RATE = 60, 6.0
CAMPAIGN_CALLS, CAMPAIGN_RATE = 5_000, 20.0
CAMPAIGN_MS = 9 * DAY_MS + 10 * HOUR_MS
MAX_RUNAWAY_CALLS = 12_500


class Kind(IntEnum):
    """Why a call is made."""

    ORDINARY = 0
    ANNOUNCED = 1
    RUNAWAY = 2


Call = tuple[int, int, Kind]
"""When it is created (ms), the destination, and why."""


@dataclass(frozen=True, slots=True)
class Traffic:
    """Calls in order of creation, as one list for each of their properties."""

    created_ms: list[int]
    destinations: list[int]
    kinds: list[Kind]

    @classmethod
    def of(cls, calls: Iterable[Call]) -> "Traffic":
        """Put `calls` into order."""
        ordered = sorted(calls)
        return cls([at for at, _, _ in ordered], [to for _, to, _ in ordered], [kind for _, _, kind in ordered])


def ordinary(seed: int, days: int, campaign_ms: int = CAMPAIGN_MS) -> Traffic:
    """Return `days` of calls: the daily cycle, a batch every hour, and the campaign if it falls into them."""
    random = Random(seed)
    calls = list(everyday(random, DAY_MS, (1 + days) * DAY_MS))
    if campaign_ms < days * DAY_MS:
        calls += campaign(random, DAY_MS + campaign_ms)
    return Traffic.of(calls)


def everyday(random: Random, begin_ms: int, end_ms: int) -> Iterator[Call]:
    """Yield what is called from `begin_ms` to `end_ms`, without a campaign; day and night begin at 0 ms."""
    yield from _single_calls(random, begin_ms, end_ms)
    for hour_ms in range(-(-begin_ms // HOUR_MS) * HOUR_MS, end_ms, HOUR_MS):
        yield from _batch(random, hour_ms, BATCH_CALLS, BATCH_RATE, Kind.ORDINARY)


def campaign(random: Random, begin_ms: int) -> Iterator[Call]:
    """Yield the calls of an announced campaign."""
    return _batch(random, begin_ms, CAMPAIGN_CALLS, CAMPAIGN_RATE, Kind.ANNOUNCED)


def runaway(
    random: Random, begin_ms: int, rate: float, seconds: float, destination: int | None = None
) -> Iterator[Call]:
    """Yield `rate` calls a second, to anybody or to one `destination`; `MAX_RUNAWAY_CALLS` at most."""
    for number in range(min(MAX_RUNAWAY_CALLS, int(rate * seconds))):
        called = random.randrange(CUSTOMERS) if destination is None else destination
        yield begin_ms + round(number * SECOND_MS / rate), called, Kind.RUNAWAY


def _single_calls(random: Random, begin_ms: int, end_ms: int) -> Iterator[Call]:
    """Yield a Poisson process whose rate follows the hour: the busiest rate, thinned out."""
    busiest = CALLS_A_MINUTE * (1 + SWING)
    at_ms = float(begin_ms)
    while (at_ms := at_ms + random.expovariate(busiest / 60_000)) < end_ms:
        angle = 2 * math.pi * (at_ms / HOUR_MS - BUSIEST_HOUR) / 24
        if random.random() * (1 + SWING) < 1 + SWING * math.cos(angle):
            yield int(at_ms), random.randrange(CUSTOMERS), Kind.ORDINARY


def _batch(random: Random, begin_ms: int, calls: int, rate: float, kind: Kind) -> Iterator[Call]:
    for number, destination in enumerate(random.sample(range(CUSTOMERS), calls)):
        yield begin_ms + round(number * SECOND_MS / rate), destination, kind
