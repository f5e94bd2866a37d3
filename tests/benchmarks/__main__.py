"""Measure the figures of README.md beside this file: every benchmark, or those that are named.

One that takes a quarter of an hour by itself is run only where it is named.
"""

import argparse
import os
import platform
import sys

from tests.benchmarks import (
    accounts,
    accuracy,
    backtest,
    bad_day,
    callbacks,
    ceilings,
    detectors,
    event_cost,
    fairness,
    memory,
    race,
    sweep,
    trip,
    unqueued,
)
from tests.benchmarks.detectors import suggested

BENCHMARKS = {
    "callbacks": ("Callbacks per second", callbacks.measure),
    "event-cost": ("What one callback costs beside many others", event_cost.measure),
    "trip": ("From the callback that crosses the line to the trip", trip.measure),
    "unqueued": ("A runaway without a queue", unqueued.measure),
    "race": ("The sweep against the dialler", race.measure),
    "sweep": ("The sweep, and Twilio's own recipe, at 5 CPS", sweep.measure_at_5),
    "sweep-30": ("The sweep, and Twilio's own recipe, at 30 CPS", sweep.measure_at_30),
    "bad-day": ("The sweep against the dialler, on bad days", bad_day.measure),
    "ceilings": ("A hidden ceiling, found", ceilings.measure),
    "fairness": ("A small account beside a great one", fairness.measure),
    "accounts": ("A thousand accounts", accounts.measure),
    "memory": ("A full queue in memory", memory.measure),
    "accuracy": ("The drain estimate against the true queue", accuracy.measure),
    "detectors": ("False trips and delays of the rules", detectors.measure),
    "suggested": ("Thresholds that an account's own days suggest", suggested.measure),
    "suggested-8": ("The same, for 8 calls a second", suggested.measure_busiest),
    "backtest": ("A million calls replayed", backtest.measure),
}

BY_NAME_ONLY = {"suggested-8": "a quarter of an hour"}


def main() -> None:
    """Print one report after the other."""
    names = _parser().parse_args().names or [name for name in BENCHMARKS if name not in BY_NAME_ONLY]
    if unknown := set(names) - BENCHMARKS.keys():
        sys.exit(f"no such benchmark: {', '.join(sorted(unknown))}; there are: {', '.join(BENCHMARKS)}")
    _say(f"Python {platform.python_version()}, {os.cpu_count()} cores")
    for name in names:
        title, measure = BENCHMARKS[name]
        _say(f"\n{title} (load of the machine before: {os.getloadavg()[0]:.1f})")
        for line in measure():
            _say(f"  {line}")


def _parser() -> argparse.ArgumentParser:
    listed = [f"  {name:<12} {title}{_when(name)}" for name, (title, _) in BENCHMARKS.items()]
    parser = argparse.ArgumentParser(
        "python -m tests.benchmarks",
        description=__doc__,
        epilog="\n".join(["benchmarks:", *listed]),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="such as detectors")
    return parser


def _when(name: str) -> str:
    return f" (only by name: {BY_NAME_ONLY[name]})" if name in BY_NAME_ONLY else ""


def _say(line: str) -> None:
    sys.stdout.write(line + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
