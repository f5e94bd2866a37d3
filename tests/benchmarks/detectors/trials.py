"""What is measured: days without a runaway, and runaways that begin at a random moment of an ordinary day."""

from collections import Counter
from dataclasses import dataclass, field
from functools import lru_cache
from random import Random

from callguard.domain.policy import Policy
from callguard.domain.snapshot import SUSPICION_MS, Rule
from tests.benchmarks.detectors.judge import Judge
from tests.benchmarks.detectors.rate_queue import RateQueue
from tests.benchmarks.detectors.sources import Source, play
from tests.benchmarks.detectors.traffic import DAY_MS, Traffic, everyday, ordinary, runaway

ALL_CPS = (1.0, 5.0, 30.0)
RATES = (0.5, 2.0, 10.0, 100.0)
DAYS = 30
TUNING_SEEDS = (1, 2, 3)
EVALUATION_SEEDS = (101, 102, 103)
RUNAWAY_SEEDS = range(1001, 1025)
BEFORE_SECONDS, SECONDS = 1200, 2000
ONE_TELEPHONE = -1


def queues_up(cps: float, rate: float) -> bool:
    """Return whether a runaway of `rate` is faster than the dialler."""
    return rate > cps


def seeds_for(cps: float, rate: float) -> range:
    """Return the seeds of the runaways; fewer where nothing queues, as those are played to their end."""
    return RUNAWAY_SEEDS if queues_up(cps, rate) else RUNAWAY_SEEDS[:12]


QUEUEING = [(cps, rate) for cps in ALL_CPS for rate in RATES if queues_up(cps, rate)]


@dataclass(slots=True)
class QuietDays:
    """What the guard did in days in which it should have done nothing."""

    trips: Counter[Rule] = field(default_factory=Counter)
    asked: Counter[Rule] = field(default_factory=Counter)
    warnings: Counter[Rule] = field(default_factory=Counter)

    def add(self, judge: Judge) -> None:
        """Add what one guard did; asking that led to a trip is counted as the trip."""
        trips_ms = [trip.at_ms for trip in judge.trips]
        self.trips.update(trip.finding.rule for trip in judge.trips)
        self.warnings.update(judge.warnings)
        for ask in judge.asked:
            led_to_trip = any(0 <= at_ms - ask.at_ms <= SUSPICION_MS for at_ms in trips_ms)
            self.asked[ask.finding.rule] += not led_to_trip


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one runaway; times are seconds from its first call, None for never.

    `rules` names the rule that tripped, after the one that asked for Twilio's list if that was another.
    """

    delay: float | None
    asked: float | None
    dialled: int
    rules: str


def quiet_queues(cps: float, days: int = DAYS) -> list[RateQueue]:
    """Return ordinary traffic at `cps`, one for each evaluation seed."""
    return [RateQueue.of(_ordinary(seed, days), cps) for seed in EVALUATION_SEEDS]


def quiet_days(queues: list[RateQueue], source: Source) -> QuietDays:
    """Let the guard hear traffic without a runaway through `source`."""
    found = QuietDays()
    for number, queue in enumerate(queues):
        found.add(play(queue, Policy(cps=queue.cps), source, phase_ms=1234 * (1 + number)))
    return found


@dataclass(frozen=True, slots=True)
class Runaway:
    """A runaway in ordinary traffic, its first call, and the phase of the poll that comes upon it."""

    queue: RateQueue
    begin_ms: int
    phase_ms: int

    @classmethod
    def of(cls, cps: float, rate: float, seed: int, *, one_telephone: bool = False) -> "Runaway":
        """Begin a runaway of `rate` calls a second at a random moment, at `cps`."""
        random = Random(seed)
        begin_ms, phase_ms = DAY_MS + random.randrange(DAY_MS), random.randrange(5000)
        calls = list(everyday(random, begin_ms - BEFORE_SECONDS * 1000, begin_ms + SECONDS * 1000))
        calls += runaway(random, begin_ms, rate, SECONDS, ONE_TELEPHONE if one_telephone else None)
        return cls(RateQueue.of(Traffic.of(calls), cps), begin_ms, phase_ms)

    def heard(self, source: Source, policy: Policy) -> Outcome:
        """Let the guard hear it through `source` until it trips."""
        judge = play(self.queue, policy, source, self.phase_ms, until_trip=True)
        trip = judge.trips[0] if judge.trips else None
        asked = [self.after(ask.at_ms) for ask in judge.asked if ask.at_ms >= self.begin_ms]
        return Outcome(
            delay=self.after(trip.at_ms) if trip else None,
            asked=asked[0] if asked else None,
            dialled=self.queue.runaway_dialled_by(trip.at_ms if trip else self.end_ms),
            rules=_path(judge) if trip else "",
        )

    @property
    def end_ms(self) -> int:
        """The end of what is looked at."""
        return self.begin_ms + SECONDS * 1000

    def after(self, at_ms: int) -> float:
        """Return `at_ms` as seconds since the first call of the runaway."""
        return (at_ms - self.begin_ms) / 1000


def _path(judge: Judge) -> str:
    trip = judge.trips[0]
    asked = [ask for ask in judge.asked if trip.at_ms - ask.at_ms <= SUSPICION_MS]
    names = [judged.finding.rule.value for judged in (*asked[:1], trip)]
    return ">".join(dict.fromkeys(names))


@lru_cache(maxsize=len(EVALUATION_SEEDS))
def _ordinary(seed: int, days: int) -> Traffic:
    return ordinary(seed, days)
