"""The table of false trips."""

from callguard.domain.snapshot import Rule
from tests.benchmarks.detectors.rate_queue import RateQueue
from tests.benchmarks.detectors.report import Report
from tests.benchmarks.detectors.sources import Source
from tests.benchmarks.detectors.trials import ALL_CPS, DAYS, EVALUATION_SEEDS, QuietDays, quiet_days
from tests.benchmarks.detectors.wanted import RULES


def add_quiet_days(report: Report, queues: dict[float, list[RateQueue]]) -> None:
    """Add the false trips."""
    names = "".join(f"{rule.value:>10}" for rule in RULES)
    report.say(
        f"False trips in {DAYS * len(EVALUATION_SEEDS)} days (asked Twilio without a trip; warnings a day);"
        " wanted: no trip",
        f"{'source':9}{'CPS':>4} {names}   warnings",
    )
    for source in Source:
        for cps in ALL_CPS:
            report.say(_quiet_line(report, source, cps, quiet_days(queues[cps], source)))
    report.say("")


def _quiet_line(report: Report, source: Source, cps: float, found: QuietDays) -> str:
    hasher = [report.want(met=not found.trips[rule]) for rule in RULES]
    cells = "".join(f"{_trips(found, rule):>10}" for rule in RULES)
    days = DAYS * len(EVALUATION_SEEDS)
    warned = ", ".join(f"{rule.value} {found.warnings[rule] / days:.2g}" for rule in RULES if found.warnings[rule])
    return f"{source.value:9}{cps:4g} {cells}   {warned or '-'}{'   MISSED' if 'MISSED' in hasher else ''}"


def _trips(found: QuietDays, rule: Rule) -> str:
    return f"{found.trips[rule]}" + (f" ({found.asked[rule]})" if found.asked[rule] else "")
