"""The tables of delays: runaways that queue, and those that are dialled at once."""

from callguard.domain.policy import Policy
from tests.benchmarks.detectors.report import Report, middle, most_common, seconds, worst
from tests.benchmarks.detectors.sources import Source
from tests.benchmarks.detectors.traffic import MAX_RUNAWAY_CALLS
from tests.benchmarks.detectors.trials import (
    ALL_CPS,
    QUEUEING,
    RATES,
    RUNAWAY_SEEDS,
    SECONDS,
    Outcome,
    queues_up,
)
from tests.benchmarks.detectors.wanted import ceiling_seconds, longest_delay

Outcomes = dict[tuple[Source, float, float], list[Outcome]]


def add_delays(report: Report, outcomes: Outcomes) -> None:
    """Add how soon a runaway that queues is seen."""
    report.say(
        "Runaways on top of ordinary traffic: seconds from the first call to the trip, and calls of the",
        f"runaway dialled until then; median and worst of {len(RUNAWAY_SEEDS)} moments and phases of the poll",
        f"{'source':9}{'CPS':>4}{'calls/s':>8}{'median':>7}{'worst':>7}{'wanted':>7}{'ceiling':>8}"
        f"{'dialled':>8}{'worst':>6}  {'':7}rule",
    )
    for source in Source:
        for cps, rate in QUEUEING:
            report.say(_delay_line(report, source, cps, rate, outcomes[source, cps, rate]))
    report.say(
        "`ceiling`: when the runaway alone would reach max_backlog or max_drain_seconds.",
        "`plateau>spike`: plateau asked for Twilio's list, whose calls then crossed spike.",
        "",
    )


def _delay_line(report: Report, source: Source, cps: float, rate: float, found: list[Outcome]) -> str:
    policy, delays = Policy(cps=cps), [outcome.delay for outcome in found]
    longest, wanted = worst(delays), longest_delay(Policy(cps=cps), rate, source)
    mark = report.want(met=longest is not None and longest <= wanted)
    dialled = sorted(outcome.dialled for outcome in found)
    rules = most_common(outcome.rules for outcome in found if outcome.rules)
    return (
        f"{source.value:9}{cps:4g}{rate:8g}{seconds(middle(delays)):>7}{seconds(longest):>7}{wanted:7g}"
        f"{ceiling_seconds(policy, rate):8.1f}{dialled[len(dialled) // 2]:8,}{dialled[-1]:6,}  {mark:7}{rules}"
    )


def add_no_queue(report: Report, outcomes: Outcomes, most_queued: dict[tuple[float, float], int]) -> None:
    """Add the runaways that are dialled at once: nothing queues that could be cancelled."""
    report.say(
        "No queue: slower than the dialler, so each call is dialled at once and none can be cancelled. The",
        "guard asks Twilio (after median seconds), and trips where a batch makes a queue besides.",
        f"{'CPS':>4}{'calls/s':>8}{'dialled':>9}{'most queued':>13}"
        + "".join(f"{source.value + ' asks':>14}{'trips':>6}" for source in Source),
    )
    for cps in ALL_CPS:
        for rate in RATES:
            if not queues_up(cps, rate):
                cells = "".join(_no_queue_cell(outcomes[source, cps, rate]) for source in Source)
                dialled = min(rate * SECONDS, MAX_RUNAWAY_CALLS)
                report.say(f"{cps:4g}{rate:8g}{dialled:9,.0f}{most_queued[cps, rate]:13}{cells}")
    report.say("")


def _no_queue_cell(found: list[Outcome]) -> str:
    trips = sum(outcome.delay is not None for outcome in found)
    return f"{seconds(middle([outcome.asked for outcome in found])):>14}{f'{trips}/{len(found)}':>6}"
