"""The guard's delays beside those of plain counts."""

from tests.benchmarks.detectors.baselines import COUNTINGS, Counting, alarm_ms, heard, least_threshold
from tests.benchmarks.detectors.delay_tables import Outcomes
from tests.benchmarks.detectors.rate_queue import RateQueue
from tests.benchmarks.detectors.report import Report, seconds, worst
from tests.benchmarks.detectors.sources import Source
from tests.benchmarks.detectors.trials import ALL_CPS, RATES, Runaway, queues_up

Runaways = dict[tuple[float, float], list[Runaway]]


def add_baselines(
    report: Report, queues: dict[float, list[RateQueue]], runaways: Runaways, outcomes: Outcomes
) -> None:
    """Add the delays of plain counts whose thresholds give no false trip in the same traffic."""
    report.say(
        "Plain counts, at the least threshold without a false trip on the same days; worst delay (s).",
        "They need no backlog, so they also see what is dialled at once (the guard: `no queue`).",
        f"{'source':9}{'CPS':>4}  {'detector':14}{'threshold':>10}"
        + "".join(f"{f'{rate:g}/s':>11}" for rate in RATES),
    )
    for source in Source:
        for cps in ALL_CPS:
            cells = [_guard_cell(outcomes, source, cps, rate) for rate in RATES]
            report.say(_line(source, cps, "guard", "", cells))
            quiet = [heard(queue, source) for queue in queues[cps]]
            heard_by_rate = [_all_heard(runaways[cps, rate], source) for rate in RATES]
            for name, counting in COUNTINGS.items():
                threshold = least_threshold(counting, quiet)
                delays = [worst(_delay(counting, threshold, *one) for one in found) for found in heard_by_rate]
                report.say(_line(source, cps, name, str(threshold), [seconds(delay) for delay in delays]))
    report.say("")


def _line(source: Source, cps: float, name: str, threshold: str, cells: list[str]) -> str:
    return f"{source.value:9}{cps:4g}  {name:14}{threshold:>10}" + "".join(f"{cell:>11}" for cell in cells)


def _guard_cell(outcomes: Outcomes, source: Source, cps: float, rate: float) -> str:
    if not queues_up(cps, rate):
        return "no queue"
    return seconds(worst(outcome.delay for outcome in outcomes[source, cps, rate]))


def _all_heard(runaways: list[Runaway], source: Source) -> list[tuple[Runaway, list[int]]]:
    return [(one, heard(one.queue, source, one.phase_ms)) for one in runaways]


def _delay(counting: Counting, threshold: int, runaway: Runaway, times_ms: list[int]) -> float | None:
    at_ms = alarm_ms(counting, threshold, times_ms, runaway.begin_ms)
    return None if at_ms is None or at_ms > runaway.end_ms else runaway.after(at_ms)
