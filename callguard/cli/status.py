"""`status`: a block for each account, and the processes."""

import math
import sys
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import click
from rich.text import Text

from callguard.bootstrap import ConsoleParts
from callguard.cli.connect import connect, reported_store_errors
from callguard.cli.differing import differing
from callguard.cli.output import console, say, say_block
from callguard.config.accounts import Account
from callguard.detect.guard import describe, named
from callguard.domain.drain_time import QUEUE_FULL_SECONDS, seconds_until_full
from callguard.domain.forecast import Forecast, forecast
from callguard.domain.health import PROCESSES, SILENT_SECONDS, Watched, troubles
from callguard.domain.holds import HoldReason, holds
from callguard.domain.incidents import Incident, summary
from callguard.domain.readings import AccountReading
from callguard.domain.snapshot import Snapshot
from callguard.domain.throughput import disagree
from callguard.domain.unqueued import RECENT, everyday, what_is_done
from callguard.domain.wording import figure, printable, span

SHOWN_MS = 86_400_000
"""For so many milliseconds `status` shows who has resumed the guard."""

_LABEL = 18


@click.command()
def status() -> None:
    """Show every account, its open or last incident, and the processes.

    Exits with 1 when an account is not guarded: Twilio's queue was not read, or a process gave no sign of life,
    for a minute; a person has paused it; a drain has stopped at `max_cancellations` and waits for a person; Redis
    has lost what was decided; or it only observes. `/healthz/guard` says the same to a monitor, for which an
    account that observes by its settings is in order.
    """
    parts = connect()
    now_ms = parts.clock.now_ms()
    screen = console()
    watched: list[Watched] = []
    with reported_store_errors():
        for account in parts.accounts.values():
            say(Text(account.sid, style="bold"), screen)
            reading = parts.stores.readings.read(account.sid, account.policy, now_ms)
            fields = _fields(parts, account, reading)
            say_block(((label, printable(text)) for label, text in fields), _LABEL, screen)
            outages = [outage.words for outage in reading.outages]
            watched.append(Watched(account.sid, reading.snapshot, account.policy, outages))
        beats = parts.stores.heartbeats.ages(now_ms)
        running = parts.stores.heartbeats.processes(now_ms)
    say(Text("processes", style="bold"), screen)
    say_block(((name, _sign_of_life(beats, name)) for name in PROCESSES), _LABEL, screen)
    web = sum(process.kind == "web" for process in running)
    say_block([("web", f"{web} alive" if web else "none has given a sign of life in 30 s")], _LABEL, screen)
    for text in differing(parts, running).texts:
        say(Text(f"DIFFERS: {text}", style="bold yellow"), screen)
    found = list(troubles(beats, watched))
    for trouble in found:
        say(Text(f"NOT GUARDED: {trouble.detail}", style="bold red"), screen)
    sys.exit(1 if found else 0)


def _fields(parts: ConsoleParts, account: Account, reading: AccountReading) -> Iterator[tuple[str, str]]:
    snapshot, cps = reading.snapshot, reading.snapshot.cps(account.policy)
    now_ms = snapshot.now_ms
    held = holds(snapshot, account.policy)
    beside = [hold.reason.words for hold in held if hold.reason not in (HoldReason.PAUSED, HoldReason.OBSERVING)]
    yield "state", f"{', '.join([reading.state.value, *beside])}, mode {snapshot.mode_under(account.policy).value}"
    for hold in held:
        yield ("STOPPED" if hold.reason is HoldReason.CAPPED else hold.reason.words), hold.text
    yield "calls per second", _cps(snapshot, account)
    if now_ms - snapshot.resumed.since_ms < SHOWN_MS:
        yield "resumed", f"{_ago(snapshot.resumed.since_ms, now_ms)} {snapshot.resumed.told}"
    yield "queued", f"{snapshot.depth:,}{_apart(snapshot)}, {snapshot.phantom_slots(cps):,} phantom slots"
    yield "drain", _drain(snapshot)
    yield "queue full", _full(seconds_until_full(snapshot.drain_seconds, reading.queued_rate, cps))
    yield "rates", f"{figure(reading.queued_rate)} in/s, {figure(reading.initiated_rate)} out/s"
    if account.policy.hold_queues:
        yield "on hold", _on_hold(reading.hold_queues)
    yield "queue last read", _ago(snapshot.polled_ms, now_ms)
    yield "last callback", _ago(snapshot.called_back_ms, now_ms)
    for outage, since_ms in reading.outages.items():
        yield "OUTAGE", f"{outage.words}, since {_ago(since_ms, now_ms)}"
    if (incident := parts.stores.incidents.current(account.sid)) is not None:
        yield "open incident", f"{describe(incident.finding)}, {_ago(incident.tripped_ms, now_ms)}"
        if incident.culprits:
            yield "", f"from {named(incident.culprits)}"
        yield "", summary(incident)
        if incident.unqueued:
            yield "NOT QUEUED", f"its calls are dialled as they are created. {what_is_done(account.policy)}"
        else:
            yield "", _scope(incident, snapshot)
        if incident.continued.since_ms:
            continued = f"{_ago(incident.continued.since_ms, now_ms)} {incident.continued.told}"
            yield "", f"continued beyond max_cancellations {continued}"
        yield (
            "forecast",
            _forecast(forecast(snapshot, account.policy, reading.cancelled_rate), reading.cancelled_rate),
        )
    elif closed := parts.stores.incidents.recent(account.sid, 1):
        by = f" by {closed[0].closed_by}" if closed[0].closed_by else ""
        yield "last incident", f"{describe(closed[0].finding)}, {_ago(closed[0].tripped_ms, now_ms)}"
        yield "", f"{summary(closed[0])}; closed {_ago(closed[0].closed_ms, now_ms)}{by}: {closed[0].reason}"
    else:
        yield "open incident", "none"
    if found := everyday(parts.stores.incidents.recent(account.sid, RECENT), account.policy, now_ms):
        yield "CONFIGURATION", f"this account is {found.words}"


def _cps(snapshot: Snapshot, account: Account) -> str:
    configured, learned = account.policy.cps, snapshot.throughput.learned
    if not learned:
        return f"{figure(configured)} configured; nothing learned yet: no queue has been seen to drain"
    if disagree(configured, learned):
        return f"{figure(configured)} configured, but Twilio dials {figure(learned)}: set `cps` right"
    return f"{figure(configured)} configured, {figure(learned)} learned"


def _apart(snapshot: Snapshot) -> str:
    parts = {
        "protected": snapshot.protected,
        "announced": snapshot.announced,
        "out of scope": snapshot.out_of_scope,
    }
    parts["reported, and not confirmed by Twilio"] = snapshot.unconfirmed
    named = [f"{count:,} of them {what}" for what, count in parts.items() if count]
    return f" ({', '.join(named)})" if named else ""


def _scope(incident: Incident, snapshot: Snapshot) -> str:
    since_ms = incident.scope.since_ms
    since = f"created since {datetime.fromtimestamp(since_ms / 1000, UTC):%H:%M:%S} UTC" if since_ms else "queued"
    senders = [culprit.shown for culprit in incident.culprits if culprit.sender in incident.scope.senders]
    left = f"; {snapshot.out_of_scope:,} others are left alone" if snapshot.out_of_scope else ""
    return f"about calls {since} from {', '.join(senders) or 'any number'}{left}"


def _forecast(will_ring: Forecast, rate: float) -> str:
    return will_ring.words if will_ring.why else f"{will_ring.words}; {figure(rate)} cancelled/s"


def _drain(snapshot: Snapshot) -> str:
    if not snapshot.drain_seconds:
        return "a new call is dialled at once"
    at = datetime.fromtimestamp(snapshot.horizon_ms / 1000, UTC)
    return f"{snapshot.drain_seconds:,.0f} s: a call created now is dialled at {at:%H:%M:%S} UTC"


def _on_hold(sizes: Mapping[str, int]) -> str:
    """Calls on hold are in progress: they are in none of the figures above."""
    if not sizes:
        return "no hold queue, or none could be read in the last minute"
    return ", ".join(f"{size:,} in {name}" for name, size in sizes.items()) + " (`<Enqueue>`, not the rate queue)"


def _full(seconds: float) -> str:
    if seconds == math.inf:
        return f"not at the present rate (Twilio takes {span(QUEUE_FULL_SECONDS)} of calls)"
    if not seconds:
        return "yes: Twilio refuses new calls (error 22005)"
    return f"in {span(seconds)} at the present rate; then Twilio refuses new calls (error 22005)"


def _sign_of_life(beats: Mapping[str, float], name: str) -> str:
    age = beats.get(name)
    if age is None:
        return "never gave a sign of life"
    return f"no sign of life for {span(age)}" if age > SILENT_SECONDS / 2 else f"alive {span(age)} ago"


def _ago(then_ms: int, now_ms: int) -> str:
    return f"{span(max(0, now_ms - then_ms) / 1000)} ago" if then_ms else "never"
