"""`status`: a block for each account, and the processes."""

import math
import sys
import textwrap
from collections.abc import Iterator, Mapping

import click
from rich.console import Console
from rich.text import Text

from callguard.bootstrap import Services
from callguard.cli.services import connect, reported_store_errors
from callguard.cli.wording import account_of, figure, span
from callguard.config.accounts import Account
from callguard.guard.guard import describe
from callguard.metrics.collector import PROCESSES

SILENT_SECONDS = 60
"""A queue that was not read for longer, or a process without a sign of life, is trouble."""

_COLUMNS = 80
_INDENT = 20


@click.command()
def status() -> None:
    """Show every account, its open or last incident, and the processes.

    Exits with 1 when nothing guards: Twilio's queue was not read, or a process gave no sign of life, for a minute.
    """
    services = connect()
    now_ms = services.clock.now_ms()
    console = Console(highlight=False, soft_wrap=True)
    trouble: list[str] = []
    with reported_store_errors():
        for account in services.accounts.values():
            console.print(Text(account.sid, style="bold"))
            for label, text in _fields(services, account, now_ms):
                console.print(Text(_block(label, text)))
            trouble += _unread(services, account, now_ms)
        beats = services.heartbeats.ages(now_ms)
    console.print(Text("processes", style="bold"))
    for name in PROCESSES:
        console.print(Text(_block(name, _sign_of_life(beats, name))))
    trouble += [
        f"{name}: {_sign_of_life(beats, name)}" for name in PROCESSES if beats.get(name, math.inf) > SILENT_SECONDS
    ]
    for text in trouble:
        console.print(
            Text(textwrap.fill(f"NOT GUARDED: {text}", _COLUMNS, subsequent_indent="  "), style="bold red")
        )
    sys.exit(1 if trouble else 0)


def _fields(services: Services, account: Account, now_ms: int) -> Iterator[tuple[str, str]]:
    reading = services.readings.read(account.sid, account.policy, now_ms)
    snapshot, cps = reading.snapshot, account.policy.cps
    spared = f" ({snapshot.spared:,} of them spared)" if snapshot.spared else ""
    yield "state", f"{reading.state.value}, mode {account.policy.mode.value}, {figure(cps)} calls per second"
    if snapshot.paused:
        yield "paused", "nothing trips and nothing is cancelled until `callguard resume`"
    yield "queued", f"{snapshot.depth:,}{spared}, {snapshot.phantom_slots(cps):,} phantom slots"
    yield "drain", f"{snapshot.drain_seconds:,.0f} s until a new call is dialled"
    yield "rates", f"{figure(reading.queued_rate)} in/s, {figure(reading.initiated_rate)} out/s"
    yield "queue last read", _ago(snapshot.polled_ms, now_ms)
    yield "last callback", _ago(snapshot.called_back_ms, now_ms)
    if (incident := services.incidents.current(account.sid)) is not None:
        yield "open incident", f"{describe(incident.finding)}, {_ago(incident.tripped_ms, now_ms)}"
        yield "", account_of(incident)
    elif closed := services.incidents.recent(account.sid, 1):
        yield "last incident", f"{describe(closed[0].finding)}, {_ago(closed[0].tripped_ms, now_ms)}"
        yield "", f"{account_of(closed[0])}; closed {_ago(closed[0].closed_ms, now_ms)}: {closed[0].reason}"
    else:
        yield "open incident", "none"


def _unread(services: Services, account: Account, now_ms: int) -> list[str]:
    polled_ms = services.tracker.snapshot(account.sid, now_ms).polled_ms
    if polled_ms and now_ms - polled_ms <= SILENT_SECONDS * 1000:
        return []
    since = f"was last read {_ago(polled_ms, now_ms)}" if polled_ms else "has never been read"
    return [f"Twilio's queue {since} ({account.sid})"]


def _sign_of_life(beats: Mapping[str, float], name: str) -> str:
    age = beats.get(name)
    if age is None:
        return "never gave a sign of life"
    return f"no sign of life for {span(age)}" if age > SILENT_SECONDS / 2 else f"alive {span(age)} ago"


def _ago(then_ms: int, now_ms: int) -> str:
    return f"{span(max(0, now_ms - then_ms) / 1000)} ago" if then_ms else "never"


def _block(label: str, text: str) -> str:
    return textwrap.fill(
        text,
        _COLUMNS,
        initial_indent=f"  {label:<{_INDENT - 2}}",
        subsequent_indent=" " * _INDENT,
        break_long_words=False,
        break_on_hyphens=False,
    )
