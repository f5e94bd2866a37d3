"""Thresholds that an account's own days suggest, judged on later days and on a runaway.

`python -m tests.benchmarks.detectors.suggested [MARGIN]...` prints the margins beside each other.
"""

import math
import sys
from array import array
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from random import Random

import click

from callguard.domain.backtest import Backtest
from callguard.domain.history import History
from callguard.domain.policy import Policy
from callguard.domain.suggestion import MARGIN, suggested
from tests.benchmarks.detectors.rate_queue import RateQueue
from tests.benchmarks.detectors.traffic import (
    BATCH_CALLS,
    BATCH_RATE,
    BUSIEST_HOUR,
    CUSTOMERS,
    DAY_MS,
    HOUR_MS,
    SWING,
    Kind,
    Traffic,
    runaway,
)

LEARNED_DAYS, HELD_OUT_DAYS = 14, 30
SEEDS = (101, 102, 103)
ACCOUNTS = ((0.1, 1.0), (0.1, 5.0), (0.1, 30.0), (2.0, 5.0), (2.0, 30.0), (8.0, 30.0))
"""Calls per second on the mean, and CPS."""

BUSIEST = (8.0, 30.0)
CORES = 2


def days_of(seed: int, rate: float, days: int) -> Traffic:
    """Return `days` of ordinary traffic of `rate` calls/s on the mean: the daily cycle and a batch each hour."""
    random = Random(seed)
    return Traffic.of([*_singles(random, rate, days), *_batches(random, days)])


def history_of(traffic: Traffic, cps: float) -> History:
    """Return what Twilio's log would say of `traffic` at `cps`, to the millisecond."""
    queue = RateQueue.of(traffic, cps)
    count = len(traffic.created_ms)
    return History(
        array("q", traffic.created_ms),
        array("q", queue.dialled_ms),
        bytearray([1]) * count,
        bytearray(count),
        array("q", traffic.destinations),
        array("q", range(count)),
    )


@dataclass(frozen=True, slots=True)
class Judged:
    """What thresholds did on days that they do not rest on."""

    incidents: int
    cancelled: int
    rules: tuple[str, ...]


def learned(seed: int, rate: float, cps: float, *, days: int = LEARNED_DAYS, margin: float = MARGIN) -> Policy:
    """Return the policy that `days` of the account's traffic suggest."""
    policy = Policy(cps=cps)
    return suggested(history_of(days_of(seed, rate, days), cps), policy, margin=margin).applied_to(policy)


def judged(policy: Policy, seed: int, rate: float, *, days: int = HELD_OUT_DAYS) -> Judged:
    """Play later days of the same account through the rules."""
    played = Backtest(history_of(days_of(seed, rate, days), policy.cps), policy)
    trips = played.run()
    found = [*(trip.finding for trip in trips), *(one.finding for one in played.unqueued)]
    rules = tuple(sorted({finding.setting for finding in found}))
    return Judged(len(found), sum(trip.cancelled for trip in trips), rules)


def delay(policy: Policy, seed: int, rate: float, runaway_rate: float = 10.0) -> float:
    """Return the seconds from the first call of a runaway to many destinations to the incident."""
    random = Random(seed)
    begin_ms = DAY_MS + random.randrange(DAY_MS)
    calls = [*_of(days_of(seed, rate, 2)), *runaway(random, begin_ms, runaway_rate, 300)]
    played = Backtest(history_of(Traffic.of(calls), policy.cps), policy)
    trips = played.run()
    found = [*(trip.at_ms for trip in trips), *(one.at_ms for one in played.unqueued)]
    return min(((at_ms - begin_ms) / 1000 for at_ms in found if at_ms >= begin_ms), default=math.inf)


def _of(traffic: Traffic) -> Iterator[tuple[int, int, Kind]]:
    return zip(traffic.created_ms, traffic.destinations, traffic.kinds, strict=True)


def _singles(random: Random, rate: float, days: int) -> Iterator[tuple[int, int, Kind]]:
    at_ms, busiest = float(DAY_MS), rate * (1 + SWING) / 1000
    while (at_ms := at_ms + random.expovariate(busiest)) < (1 + days) * DAY_MS:
        angle = 2 * math.pi * (at_ms / HOUR_MS - BUSIEST_HOUR) / 24
        if random.random() * (1 + SWING) < 1 + SWING * math.cos(angle):
            yield int(at_ms), random.randrange(CUSTOMERS), Kind.ORDINARY


def _batches(random: Random, days: int) -> Iterator[tuple[int, int, Kind]]:
    for hour_ms in range(DAY_MS, (1 + days) * DAY_MS, HOUR_MS):
        for number, destination in enumerate(random.sample(range(CUSTOMERS), BATCH_CALLS)):
            yield hour_ms + round(number * 1000 / BATCH_RATE), destination, Kind.ORDINARY


def measure() -> Iterator[str]:
    """Yield the lines of the report for all but the busiest account, as they come."""
    yield from table([account for account in ACCOUNTS if account != BUSIEST], [MARGIN])


def measure_busiest() -> Iterator[str]:
    """Yield those for the busiest account, which take a quarter of an hour."""
    yield from table([BUSIEST], [MARGIN])


def table(accounts: Sequence[tuple[float, float]], margins: Sequence[float]) -> Iterator[str]:
    """Yield for each account and margin the false incidents, and the delay of a runaway of 10 calls/s."""
    yield f"learned from {LEARNED_DAYS} days, judged on {HELD_OUT_DAYS} others; delay: of a runaway of 10 calls/s"
    head = (("calls/s", 8), ("CPS", 5), ("margin", 8), ("seeds", 7), ("incidents", 11), ("cancelled", 11))
    yield "".join(name.rjust(width) for name, width in (*head, ("delay (s)", 11))) + "  rules"
    rows = [(rate, cps, margin) for rate, cps in accounts for margin in margins]
    with ProcessPoolExecutor(CORES) as pool:
        yield from pool.map(_row, rows)


def _row(row: tuple[float, float, float]) -> str:
    rate, cps, margin = row
    found, delays = [], []
    seeds = SEEDS if rate < 1 else SEEDS[:1]
    for seed in seeds:
        policy = learned(seed, rate, cps, margin=margin)
        found.append(judged(policy, seed + 1000, rate))
        delays.append(delay(policy, seed + 2000, rate))
    rules = sorted({rule for one in found for rule in one.rules})
    return (
        f"{rate:8g}{cps:5g}{margin:8g}{len(seeds):7}{sum(one.incidents for one in found):11}"
        f"{sum(one.cancelled for one in found):11}{max(delays):11.1f}  {', '.join(rules) or '-'}"
    )


def main(margins: list[float]) -> None:
    """Print the margins beside each other, without the busiest account."""
    for line in table([account for account in ACCOUNTS if account != BUSIEST], margins):
        click.echo(line)


if __name__ == "__main__":
    main([float(text) for text in sys.argv[1:]] or [MARGIN])
