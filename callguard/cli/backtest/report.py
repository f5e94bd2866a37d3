"""A backtest's result, for people and as JSON."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from rich import box
from rich.table import Table
from rich.text import Text

from callguard.cli.backtest.call_log import Log
from callguard.cli.output import console, say, say_table
from callguard.domain.backtest import Trip, UnqueuedTrip
from callguard.domain.history import History, HistoryBuilder
from callguard.domain.policy import Mode, Policy, Rearm
from callguard.domain.snapshot import Finding
from callguard.domain.sources import Source
from callguard.domain.thresholds import Threshold, Tightest
from callguard.domain.wording import figure

MAX_TRIPS_SHOWN = 20


@dataclass(frozen=True, slots=True)
class Report:
    """All that a backtest has found, and from what."""

    history: History
    policy: Policy
    source: Source
    log: Log
    counts: HistoryBuilder
    trips: list[Trip]
    tightest: Tightest
    whose_policy: str
    unqueued: list[UnqueuedTrip] = field(default_factory=list)

    @property
    def cancelled(self) -> int:
        """Calls that would have been cancelled."""
        return sum(trip.cancelled for trip in self.trips)

    @property
    def shows_creation(self) -> bool:
        """Whether the log tells when calls were created, and not only when they were dialled."""
        return self.log.shows_queue

    @property
    def doubts(self) -> list[str]:
        """Why conclusions from the log are uncertain; empty if there is no such reason."""
        unread = self.log.unread.count
        queue = [] if _shows_queue(self) else ["the log does not show the queue"]
        rows = [f"{_count(unread, 'row')} could not be read"] if unread else []
        return [*queue, *rows, *self.log.doubts]

    @property
    def left_out(self) -> dict[str, int]:
        """Rows that are not part of the history, by reason."""
        return {
            "inbound or child legs": self.counts.children,
            "of other accounts": self.log.other_accounts,
            "repeated a SID": self.counts.repeated,
            "without a time": self.counts.undated,
            "unreadable": self.log.unread.count,
        }


def show(report: Report) -> None:
    """Print the report."""
    screen = console()
    for line in _head(report):
        say(line, screen)
    if report.trips:
        say_table(_trips(report.trips), screen)
    share = 100 * report.cancelled / len(report.history)
    say(
        Text.assemble(
            (_count(len(report.trips), "trip"), "bold"),
            f": {report.cancelled:,} of {len(report.history):,} calls ({share:.1f} %) would have been cancelled.",
        ),
        screen,
    )
    if any(trip.cancelled >= report.policy.max_cancellations for trip in report.trips):
        say("At max_cancellations the guard would have stopped and asked; so it is played here.", screen)
    if report.unqueued:
        say(
            Text.assemble(
                (_count(len(report.unqueued), "incident"), "bold"),
                " more would have opened without a queue: nothing to cancel.",
            ),
            screen,
        )
        say_table(_unqueued(report.unqueued), screen)
    if not _shows_queue(report):
        say("No thresholds follow from a log that does not show the queue.", screen)
    elif _is_known(report.tightest):
        say_table(_thresholds(report.tightest.thresholds), screen)
        say(_proof(report), screen)
    else:
        say("No rule's figure rose above 0 while calls were queued, so no tightest thresholds follow.", screen)


def as_json(report: Report) -> dict[str, Any]:
    """Return the report as JSON has it; times are ISO 8601 in UTC."""
    history = report.history
    return {
        "policy": report.whose_policy,
        "source": report.source.value,
        "from": _iso(history.created_ms[0]),
        "until": _iso(history.created_ms[-1]),
        "calls": len(history),
        "left_out": report.left_out,
        "unreadable": report.log.unread.first,
        "notes": report.log.notes,
        "shows_queue": _shows_queue(report),
        "trips": [_trip_json(trip) for trip in report.trips],
        "unqueued": [_unqueued_json(one) for one in report.unqueued],
        "cancelled": report.cancelled,
        "tightest": [
            {
                "setting": t.setting,
                "configured": t.configured,
                "tightest": t.tightest if t.reached else None,
                "reached": t.reached,
            }
            for t in (report.tightest.thresholds if _shows_queue(report) else ())
        ],
        "doubts": report.doubts,
        "verified": report.tightest.is_proven and _is_known(report.tightest) and not report.doubts,
    }


def _head(report: Report) -> Iterator[str]:
    history, policy = report.history, report.policy
    yield f"{_day(history.created_ms[0])} to {_day(history.created_ms[-1])} UTC: {_count(len(history), 'call')}"
    if left_out := [f"{count:,} {reason}" for reason, count in report.left_out.items() if count]:
        yield f"not among them: {', '.join(left_out)}"
    for line in report.log.unread.first:
        yield f"  {line}"
    if report.log.unread.count > len(report.log.unread.first):
        yield "  ..."
    yield from report.log.notes
    yield f"policy: {report.whose_policy}; {figure(policy.cps)} calls per second; source: {report.source.value}"
    if policy.mode is Mode.OBSERVE or policy.rearm is Rearm.MANUAL:
        yield "It is played as mode = enforce and rearm = auto."
    if not _shows_queue(report):
        yield (
            "NOTE: the queue cannot be seen from these times (no Date Created or Queue Time), so hardly anything "
            "can trip here, whatever really happened."
        )


def _shows_queue(report: Report) -> bool:
    return report.log.shows_queue and report.counts.waited > 0


def _trips(trips: list[Trip]) -> Table:
    table = Table("time (UTC)", "rule", box=box.SIMPLE)
    for heading in ("queued", "cancelled"):
        table.add_column(heading, justify="right")
    for trip in trips[:MAX_TRIPS_SHOWN]:
        table.add_row(_day(trip.at_ms), _rule(trip.finding), f"{trip.queued:,}", f"{trip.cancelled:,}")
    if len(trips) > MAX_TRIPS_SHOWN:
        rest = trips[MAX_TRIPS_SHOWN:]
        table.add_row("...", f"and {len(rest):,} more", "", f"{sum(trip.cancelled for trip in rest):,}")
    return table


def _rule(finding: Finding) -> str:
    return f"{finding.rule.value}: {figure(finding.observed)}, {finding.setting} = {figure(finding.threshold)}"


def _thresholds(thresholds: tuple[Threshold, ...]) -> Table:
    table = Table("tightest thresholds with zero trips", box=box.SIMPLE)
    for heading in ("reached", "tightest", "configured"):
        table.add_column(heading, justify="right")
    for one in thresholds:
        if one.tightest is None:
            table.add_row(one.setting, "", "this source does not report it", figure(one.configured))
        elif not one.reached:
            table.add_row(one.setting, "", "never reached", figure(one.configured))
        else:
            table.add_row(one.setting, figure(one.reached), figure(one.tightest), figure(one.configured))
    return table


def _is_known(found: Tightest) -> bool:
    return any(one.reached for one in found.thresholds)


def _unqueued(incidents: list[UnqueuedTrip]) -> Table:
    table = Table("time (UTC)", "rule", box=box.SIMPLE)
    for one in incidents[:MAX_TRIPS_SHOWN]:
        table.add_row(_day(one.at_ms), _rule(one.finding))
    if len(incidents) > MAX_TRIPS_SHOWN:
        table.add_row("...", f"and {len(incidents) - MAX_TRIPS_SHOWN:,} more")
    return table


def _unqueued_json(one: UnqueuedTrip) -> dict[str, Any]:
    finding = one.finding
    return {
        "at": _iso(one.at_ms),
        "rule": finding.rule.value,
        "observed": finding.observed,
        "threshold": finding.threshold,
        "setting": finding.setting,
    }


def _proof(report: Report) -> str:
    if not report.tightest.is_proven:
        return "NOT verified: replayed with these thresholds, there still was a trip."
    if report.doubts:
        return (
            "Replayed with exactly these thresholds, there was no trip; that proves little:\n"
            f"{'; '.join(report.doubts)}."
        )
    return "Verified: replayed with exactly these thresholds, there was no trip."


def _trip_json(trip: Trip) -> dict[str, Any]:
    finding = trip.finding
    return {
        "at": _iso(trip.at_ms),
        "rule": finding.rule.value,
        "observed": finding.observed,
        "threshold": finding.threshold,
        "setting": finding.setting,
        "onset": _iso(finding.onset_ms),
        "queued": trip.queued,
        "cancelled": trip.cancelled,
        "ended": _iso(trip.ended_ms) if trip.ended_ms is not None else None,
    }


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def _day(at_ms: int) -> str:
    return f"{_moment(at_ms):%Y-%m-%d %H:%M:%S}"


def _iso(at_ms: int) -> str:
    return _moment(at_ms).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def _moment(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC)
