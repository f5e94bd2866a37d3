"""The table of each rule by itself."""

from callguard.domain.policy import Policy
from callguard.domain.snapshot import Rule
from tests.benchmarks.detectors.report import Report, seconds, worst
from tests.benchmarks.detectors.sources import Source
from tests.benchmarks.detectors.trials import QUEUEING, RUNAWAY_SEEDS, Runaway
from tests.benchmarks.detectors.wanted import PLATEAU_GRACE, RULES, only

SEEDS = RUNAWAY_SEEDS[:4]


def add_alone(report: Report) -> None:
    """Add how soon each rule would trip if it were the only one."""
    heads = "".join(f"{f'{rate:g}/s at {cps:g}':>12}" for cps, rate in QUEUEING)
    report.say(
        f"Each rule alone: worst of {len(SEEDS)}, in seconds (repeat: a runaway to one destination);",
        f"wanted of plateau: {Policy().plateau_seconds + PLATEAU_GRACE:g} s",
        f"{'rule':10}{'source':9}{heads}",
    )
    for rule in RULES:
        for source in Source:
            if source is Source.POLL and rule in (Rule.INITIATED, Rule.PLATEAU):
                continue  # the list does not show what is dialled
            delays = [_alone(rule, source, cps, rate) for cps, rate in QUEUEING]
            report.say(
                f"{rule.value:10}{source.value:9}" + "".join(_alone_cell(report, rule, one) for one in delays)
            )
    report.say("")


def _alone(rule: Rule, source: Source, cps: float, rate: float) -> float | None:
    one_telephone = rule is Rule.REPEAT
    runaways = (Runaway.of(cps, rate, seed, one_telephone=one_telephone) for seed in SEEDS)
    return worst(runaway.heard(source, only(rule, cps)).delay for runaway in runaways)


def _alone_cell(report: Report, rule: Rule, delay: float | None) -> str:
    missed = False
    if rule is Rule.PLATEAU:
        longest = Policy().plateau_seconds + PLATEAU_GRACE
        missed = report.want(met=delay is not None and delay <= longest) == "MISSED"
    return f"{seconds(delay) + ('!' if missed else ''):>12}"
