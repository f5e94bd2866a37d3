"""Sweeps that are struck at random, for as long as you like: `python -m tests.system.chaos --minutes 5`."""

import random
import statistics
import time
from collections import defaultdict

import click

from callguard.simulator import AccountConfig, Faults, ListOrder, RunawayPlan, SimulatorConfig
from tests.system.strikes import Victim
from tests.system.sweeps import Strike, swept


@click.command()
@click.option("--minutes", default=5.0, show_default=True, help="No round begins later than this.")
@click.option("--seed", default=None, type=int, help="Of the first round; each further one has the next.")
def main(minutes: float, seed: int | None) -> None:
    """Strike sweeps at random and compare the guard's books with Twilio's. Ends with 1 where they differ."""
    first = random.randrange(1_000_000) if seed is None else seed
    deadline = time.monotonic() + 60 * minutes
    gaps: dict[Victim, list[float]] = defaultdict(list)
    number = first
    while time.monotonic() < deadline:
        for victim, gap in _round(number):
            gaps[victim].append(gap)
        number += 1
    click.echo("seconds without a cancelled call after a kill: median, longest")
    for victim, found in gaps.items():
        click.echo(f"  {victim.value:24} {len(found):4} {statistics.median(found):6.2f} {max(found):6.2f}")


def _round(seed: int) -> list[tuple[Victim, float]]:
    luck = random.Random(seed)
    twilio = AccountConfig(
        cps=luck.choice((0.5, 1.0, 5.0)),
        latency=luck.choice((0.02, 0.1, 0.3)),
        latency_jitter=0.8,
        ceiling=luck.choice((4, 10, 30)),
        list_order=luck.choice(list(ListOrder)),
        list_lag=luck.choice((0.0, 0.0, 1.5)),
        faults=Faults(error_rate=luck.choice((0.0, 0.02)), lost_reply_rate=luck.choice((0.0, 0.02))),
    )
    plan = RunawayPlan(luck.choice((150, 300, 600)), luck.choice((0.0, 30.0, 80.0)))
    strikes = [Strike(share, luck.choice(list(Victim))) for share in sorted(luck.random() for _ in range(5))]
    workers, callbacks = luck.choice((1, 2, 3)), luck.random() < 0.7
    about = ", ".join(f"{strike.victim.value} at {strike.share:.0%}" for strike in strikes)
    click.echo(f"seed {seed}: {plan.calls} calls at {plan.rate:g}/s, {workers} worker(s), {twilio}\n  {about}")
    simulated = SimulatorConfig(accounts=(twilio,))
    struck = swept(simulated, plan, strikes, workers=workers, with_callbacks=callbacks)
    click.echo("  gaps: " + ", ".join(f"{gap:.2f} s" for _, gap in struck))
    return [(blow.victim, gap) for blow, gap in struck]


if __name__ == "__main__":
    main()
