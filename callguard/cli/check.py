"""`check`: is everything there that a guard needs?"""

import math
import os
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum
from functools import partial
from http.client import HTTPException
from urllib.error import HTTPError

import click
from rich.text import Text

from callguard import __version__
from callguard.bootstrap import ConsoleParts
from callguard.cli.check_history import HISTORY_DAYS, HISTORY_SECONDS, Lately
from callguard.cli.connect import NO_PUBLIC_URL, connect
from callguard.cli.differing import differing
from callguard.cli.output import console, say
from callguard.cli.up import CONNECTION_OVERRIDES, callback_address
from callguard.config.accounts import Account
from callguard.config.errors import Problems
from callguard.config.rest_access import regional_api_url, set_in
from callguard.domain.batches import will_cancel
from callguard.domain.health import PROCESSES, SILENT_SECONDS
from callguard.domain.holds import holds
from callguard.domain.policy import contradictions
from callguard.domain.throughput import disagree
from callguard.domain.unqueued import RECENT, everyday
from callguard.domain.wording import figure, printable, span
from callguard.errors import CallGuardError
from callguard.notify.apprise import AppriseNotifier
from callguard.telephony.ways_out import trusted

_WAIT_SECONDS = 5


class Mark(Enum):
    """What a line of the report begins with, and its colour."""

    GOOD = ("ok", "green")
    DOUBTFUL = ("?", "yellow")
    BAD = ("BAD", "bold red")


@dataclass(frozen=True, slots=True)
class Line:
    """One thing that was looked at, and what came of it."""

    mark: Mark
    text: str


@click.command()
@click.option(
    "--days", default=HISTORY_DAYS, show_default=True, type=click.IntRange(0, 90),
    help="Of the account's call log to replay; 0 replays nothing.",
)  # fmt: skip
@click.option(
    "--seconds", default=HISTORY_SECONDS, show_default=True, type=click.FloatRange(1, 3600),
    help="For reading call logs, all accounts together.",
)  # fmt: skip
def check(days: int, seconds: float) -> None:
    """Check settings, Redis, Twilio, processes, callbacks and the CPS; change nothing.

    The accounts' latest days are read from Twilio's call log and replayed through the thresholds in force: it says
    what would have tripped. Exits with 1 when something is bad. A `?` is something to know, not an error.
    """
    parts = connect()
    screen = console()
    say(_shown(Line(Mark.GOOD, f"settings: {len(parts.accounts)} account(s)")), screen)
    bad = 0
    lately = Lately(parts.telephony, parts.clock.now_ms(), days, seconds)
    for line in _lines(parts, lately):
        say(_shown(line), screen)
        bad += line.mark is Mark.BAD
    sys.exit(1 if bad else 0)


def _lines(parts: ConsoleParts, lately: Lately) -> Iterator[Line]:
    yield from _attempt("Redis", lambda: _redis(parts))
    yield from _attempt("RQ's Redis", lambda: _jobs(parts))
    yield from _attempt("processes", lambda: _processes(parts))
    yield from _attempt("CALLGUARD_NOTIFY_URLS", partial(_receivers, parts))
    yield from _attempt("CALLGUARD_PUBLIC_URL", partial(_public_url, parts.settings.public_url))
    yield from _regions(parts)
    for account in parts.accounts.values():
        name = f"account …{account.sid[-4:]}"
        yield from _attempt(f"{name}: Twilio", partial(_twilio, parts, account, name))
        yield from _attempt(name, partial(_account, parts, account, name))
        yield Line(Mark.GOOD, f"{name}: {will_cancel(account.policy)}")
        for text in contradictions(account.policy):
            yield Line(Mark.DOUBTFUL, f"{name}: {text}")
        yield from _attempt(f"{name}: call log", partial(_history, lately, account, name))


def _attempt(what: str, look: Callable[[], Iterator[Line]]) -> Iterator[Line]:
    try:
        yield from look()
    except CallGuardError as error:
        yield Line(Mark.BAD, f"{what}: {error}")


def _redis(parts: ConsoleParts) -> Iterator[Line]:
    for right in parts.stores.missing_rights(parts.drains.connection):
        yield Line(Mark.BAD, f"Redis: our user may not all it needs: grant {right.rule}, {right.purpose}")
    facts = parts.stores.server_facts()
    version = f"{facts.get('server', 'Redis')} {facts.get('version', '')}".strip()
    yield Line(Mark.GOOD, f"Redis: {version} answers")
    if facts.get("maxmemory_policy") not in (None, "noeviction"):
        yield Line(
            Mark.BAD,
            f"Redis: maxmemory-policy is {facts['maxmemory_policy']}, so it may forget what it holds; "
            "set it to noeviction",
        )
    if facts.get("appendonly") == "no":
        yield Line(Mark.DOUBTFUL, "Redis: appendonly is off: a restart forgets the queue and an open incident")


def _jobs(parts: ConsoleParts) -> Iterator[Line]:
    counts = parts.drains.counts()
    yield Line(Mark.GOOD, f"RQ: {counts.get('queued', 0)} wake-ups wait, {counts.get('failed', 0)} have failed")


def _processes(parts: ConsoleParts) -> Iterator[Line]:
    beats = parts.stores.heartbeats.ages(parts.clock.now_ms())
    for name in PROCESSES:
        age = beats.get(name, math.inf)
        if age > SILENT_SECONDS:
            since = f"no sign of life for {span(age)}" if age < math.inf else "never gave a sign of life"
            yield Line(Mark.BAD, f"{name}: {since}; run `python -m workers` or `callguard up`")
        else:
            yield Line(Mark.GOOD, f"{name}: alive {span(age)} ago")
    running = parts.stores.heartbeats.processes(parts.clock.now_ms())
    found = differing(parts, running)
    for text in found.texts:
        yield Line(Mark.BAD if found.is_bad else Mark.DOUBTFUL, text)
    if running and not found.texts:
        yield Line(Mark.GOOD, f"{len(running)} processes run CallGuard {__version__} with the settings read here")


def _receivers(parts: ConsoleParts) -> Iterator[Line]:
    AppriseNotifier(parts.settings.notify_urls).demand_known()
    if parts.settings.notify_urls:
        yield Line(Mark.GOOD, f"CALLGUARD_NOTIFY_URLS: {len(parts.settings.notify_urls)} receiver(s)")
    else:
        yield Line(Mark.DOUBTFUL, "CALLGUARD_NOTIFY_URLS: nobody is told of warnings and trips")
    oldest_ms = parts.stores.notices.facts().oldest_ms
    waits = (parts.clock.now_ms() - oldest_ms) / 1000 if oldest_ms else 0.0
    if waits > SILENT_SECONDS:
        yield Line(
            Mark.BAD,
            f"notices: the oldest has waited for {span(waits)} to be told; a receiver does not take it, or nobody "
            "relays. The logs of watcher, workers and web say why",
        )


def _public_url(public_url: str) -> Iterator[Line]:
    """Fetch our own health page at the public URL. A failure from here does not prove that Twilio fails."""
    if public_url == NO_PUBLIC_URL:
        yield Line(Mark.DOUBTFUL, "CALLGUARD_PUBLIC_URL is not set here, so signatures were not looked at")
        return
    address = public_url.partition("?")[0].rstrip("/") + "/healthz"
    began = time.monotonic()
    try:
        with urllib.request.urlopen(address, timeout=_WAIT_SECONDS, context=trusted()) as answer:  # noqa: S310
            good = answer.status == 200
    except HTTPError as error:
        yield Line(Mark.DOUBTFUL, f"CALLGUARD_PUBLIC_URL: {address} answered {error.code}")
        return
    except (OSError, ValueError, HTTPException) as error:
        reason = getattr(error, "reason", error)
        yield Line(Mark.DOUBTFUL, f"CALLGUARD_PUBLIC_URL: {address} cannot be reached from here ({reason})")
        return
    mark = Mark.GOOD if good else Mark.DOUBTFUL
    yield Line(mark, f"CALLGUARD_PUBLIC_URL: {address} answers in {1000 * (time.monotonic() - began):.0f} ms")


def _regions(parts: ConsoleParts) -> Iterator[Line]:
    """Say whether the twilio library's own variables are followed."""
    names = set_in(os.environ)
    if not names:
        return
    followed = parts.settings.twilio_api_url == regional_api_url(os.environ, Problems())
    what = "are followed" if followed else "are not followed, since CALLGUARD_TWILIO_API_URL is set"
    mark = Mark.GOOD if followed else Mark.DOUBTFUL
    yield Line(mark, f"{' and '.join(names)} {what}: {parts.settings.twilio_api_url} is asked")


def _twilio(parts: ConsoleParts, account: Account, name: str) -> Iterator[Line]:
    began = time.monotonic()
    page = next(parts.telephony.queued_calls(account.sid))
    took = 1000 * (time.monotonic() - began)
    more = "" if page.is_last else " or more"
    asked = account.api_url or parts.settings.twilio_api_url
    yield Line(
        Mark.GOOD, f"{name}: Twilio answers in {took:.0f} ms, {len(page.calls):,}{more} calls queued ({asked})"
    )


def _account(parts: ConsoleParts, account: Account, name: str) -> Iterator[Line]:
    now_ms = parts.clock.now_ms()
    snapshot = parts.stores.tracker.snapshot(account.sid, now_ms)
    age = (now_ms - snapshot.polled_ms) / 1000 if snapshot.polled_ms else math.inf
    if age > SILENT_SECONDS:
        since = f"{span(age)} ago" if age < math.inf else "never"
        yield Line(Mark.BAD, f"{name}: Twilio's queue was last read {since}; is a watcher running?")
    for hold in holds(snapshot, account.policy):
        yield Line(Mark.DOUBTFUL, printable(f"{name}: {hold.text}"))
    if snapshot.called_back_ms:
        yield Line(Mark.GOOD, f"{name}: last callback {span((now_ms - snapshot.called_back_ms) / 1000)} ago")
    else:
        yield Line(
            Mark.DOUBTFUL,
            f"{name}: no callback has ever come; do your calls set StatusCallback to {_callback(parts)}?",
        )
    if found := everyday(parts.stores.incidents.recent(account.sid, RECENT), account.policy, now_ms):
        yield Line(Mark.DOUBTFUL, f"{name}: {found.words}")
    yield _cps(account, snapshot.throughput.learned, name)


def _history(lately: Lately, account: Account, name: str) -> Iterator[Line]:
    for is_good, text in lately.told(account):
        yield Line(Mark.GOOD if is_good else Mark.DOUBTFUL, f"{name}: {text}")


def _callback(parts: ConsoleParts) -> str:
    known = parts.settings.public_url != NO_PUBLIC_URL
    if known:
        return callback_address(parts.settings.public_url)
    return f"CALLGUARD_PUBLIC_URL and /twilio/status{CONNECTION_OVERRIDES}"


def _cps(account: Account, learned: float, name: str) -> Line:
    configured = account.policy.cps
    if not learned:
        return Line(Mark.DOUBTFUL, f"{name}: cps = {figure(configured)}; no queue has been seen to drain yet")
    if disagree(configured, learned):
        return Line(
            Mark.BAD,
            f"{name}: cps = {figure(configured)} is wrong: Twilio dials {figure(learned)} a second; set "
            "CALLGUARD_POLICY__CPS, or `cps` in the account's table",
        )
    return Line(Mark.GOOD, f"{name}: cps = {figure(configured)}, and Twilio dials {figure(learned)} a second")


def _shown(line: Line) -> Text:
    sign, style = line.mark.value
    return Text.assemble((f"{sign:>4}  ", style), line.text)
