"""How often the rules trip for nothing, and how soon they trip for a runaway: on a simulated clock."""

from callguard.domain.policy import Policy
from tests.benchmarks.detectors import alone_table, comparison, delay_tables, quiet_table, traffic, trials
from tests.benchmarks.detectors.report import Report
from tests.benchmarks.detectors.sources import Source


def measure() -> list[str]:
    """Return the lines of the report."""
    report = Report()
    report.say(*_preamble())
    quiet = {cps: trials.quiet_queues(cps) for cps in trials.ALL_CPS}
    quiet_table.add_quiet_days(report, quiet)
    runaways = {
        (cps, rate): [trials.Runaway.of(cps, rate, seed) for seed in trials.seeds_for(cps, rate)]
        for cps in trials.ALL_CPS
        for rate in trials.RATES
    }
    outcomes = {
        (source, cps, rate): [one.heard(source, Policy(cps=cps)) for one in found]
        for source in Source
        for (cps, rate), found in runaways.items()
    }
    delay_tables.add_delays(report, outcomes)
    most_queued = {
        cell: max(one.queue.most_queued(one.begin_ms) for one in found)
        for cell, found in runaways.items()
        if not trials.queues_up(*cell)
    }
    delay_tables.add_no_queue(report, outcomes, most_queued)
    alone_table.add_alone(report)
    comparison.add_baselines(report, quiet, runaways, outcomes)
    report.say(f"wanted figures met: {report.met} of {report.wanted}")
    return report.lines


def _preamble() -> list[str]:
    return [
        f"Ordinary: Poisson, {traffic.CALLS_A_MINUTE:g} calls a minute, by the hour of the day from"
        f" {1 - traffic.SWING:.0%} to {1 + traffic.SWING:.0%} (most at {traffic.BUSIEST_HOUR}:00),",
        f"to {traffic.CUSTOMERS:,} customers; every hour a batch of {traffic.BATCH_CALLS} at"
        f" {traffic.BATCH_RATE:g}/s; on day 10 at 10:00 an announced",
        f"campaign of {traffic.CAMPAIGN_CALLS:,} at {traffic.CAMPAIGN_RATE:g}/s.",
        "entrance: creations and `initiated` heard at once. callback: `initiated` only; Twilio's list is",
        "known 0.5 s after a rule asks for it. poll: only the list, every 5 s, and every second once a rule",
        "is at half its level. Shipped defaults, judged at each event and every 0.25 s.",
        f"Seeds: {_numbers(trials.EVALUATION_SEEDS)} for the days, {trials.RUNAWAY_SEEDS[0]} to"
        f" {trials.RUNAWAY_SEEDS[-1]} for the runaways; {_numbers(trials.TUNING_SEEDS)} are kept for choosing.",
        "",
    ]


def _numbers(seeds: tuple[int, ...]) -> str:
    return ", ".join(str(seed) for seed in seeds)
