"""`backtest`: an account's own history through the rules."""

import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import BinaryIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import click
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeRemainingColumn,
)

from callguard.cli.backtest.call_log import CallLog, Log
from callguard.cli.backtest.call_table import LogError
from callguard.cli.backtest.call_times import TimeReader
from callguard.cli.backtest.call_words import counted
from callguard.cli.backtest.report import Report, as_json, show
from callguard.cli.backtest.suggest import Offer, offer_json, show_offer, write_offer
from callguard.cli.backtest.tried_policy import configured, with_tried
from callguard.cli.connect import has_account
from callguard.cli.output import console, say
from callguard.config.errors import ConfigurationError
from callguard.config.settings import Settings
from callguard.domain.backtest import Backtest
from callguard.domain.history import HistoryBuilder
from callguard.domain.policy import Policy
from callguard.domain.sources import Source
from callguard.domain.suggestion import suggested
from callguard.domain.thresholds import tightest
from callguard.errors import CallGuardError
from callguard.telephony.calls import TwilioCalls
from callguard.telephony.http_client import PooledHttpClient

_PASSES = 3  # the trips, the measuring, the proof


@dataclass(frozen=True, slots=True)
class _Fetch:
    """What is to be fetched from Twilio."""

    settings: Settings
    account_sid: str
    since: datetime
    before: datetime


@dataclass(slots=True)
class _Bars:
    """Progress on standard error, where that is a terminal."""

    progress: Progress
    console: Console = field(default_factory=lambda: console(stderr=True))

    def bar(self, title: str, total: float | None) -> Callable[[float], None]:
        """Begin a bar and return what sets how far it is."""
        task = self.progress.add_task(title, total=total)
        return lambda done: self.progress.update(task, completed=done)

    def steps(self, title: str, total: float) -> Callable[[float], None]:
        """Begin a bar and return what adds to it."""
        task = self.progress.add_task(title, total=total)
        return lambda step: self.progress.advance(task, step)


_FORMER_WORDS = {"door": "source", "entrance": "report"}
"""Scripts may still write `--door entrance`."""


@click.command(context_settings={"token_normalize_func": lambda word: _FORMER_WORDS.get(word, word)})
@click.argument("file", required=False, type=click.File("rb"), metavar="[FILE.csv]")
@click.option("--fetch", is_flag=True, help="Fetch the history from Twilio instead of reading a file.")
@click.option("--since", metavar="TIME", help="With --fetch: calls created from then on.")
@click.option("--before", metavar="TIME", help="With --fetch: calls created before then; by default now.")
@click.option("--account", "account_sid", metavar="AC…", help="The account; only its calls count.")
@click.option("--cps", metavar="N", help="Short for --set cps=N.")
@click.option(
    "--source",
    type=click.Choice([source.value for source in Source]),
    default=Source.REPORT.value,
    show_default=True,
    help="How the guard would have heard of the calls.",
)
@click.option("--set", "tried", multiple=True, metavar="KEY=VALUE", help="Try another value of a policy key.")
@click.option("--timezone", default="UTC", show_default=True, help="Of times in the file that name no zone.")
@click.option(
    "--dates",
    type=click.Choice(["day-first", "month-first"]),
    help="How 05/11/2026 is meant, where no date of the file tells.",
)
@click.option("--suggest", is_flag=True, help="Print thresholds that fit the account, as TOML.")
@click.option(
    "--ordinary", multiple=True, type=click.DateTime(["%Y-%m-%d"]), metavar="DAY",
    help="With --suggest: a day (UTC) that stands out and is ordinary all the same.",
)  # fmt: skip
@click.option("--write", is_flag=True, help="With --suggest: write them to the file of CALLGUARD_CONFIG.")
@click.option("--yes", is_flag=True, help="With --write: do not ask.")
@click.option("--json", "wants_json", is_flag=True, help="Print JSON.")
def backtest(
    file: BinaryIO | None,
    fetch: bool,
    since: str | None,
    before: str | None,
    account_sid: str | None,
    cps: str | None,
    source: str,
    tried: tuple[str, ...],
    timezone: str,
    dates: str | None,
    suggest: bool,
    ordinary: tuple[datetime, ...],
    write: bool,
    yes: bool,
    wants_json: bool,
) -> None:
    """Replay an account's history through the rules: what would have tripped, and the tightest thresholds.

    FILE.csv is Twilio's call log, its bulk export (JSON lines, packed with gzip or not) or a dump of its API; - is
    standard input. Nothing is changed anywhere, and no
    Redis is needed. The policy is the account's configured one if there are settings, else the defaults.
    """
    if (file is None) is not fetch:
        raise click.UsageError("give one of: a FILE.csv (- is standard input), or --fetch --since TIME")
    if (write or ordinary) and not suggest:
        raise click.UsageError("--write and --ordinary go with --suggest")
    times = TimeReader(_zone(timezone))
    offer = None
    try:
        settings, policy, whose = configured(os.environ, account_sid)
        policy = with_tried(policy, (*((f"cps={cps}",) if cps is not None else ()), *tried))
        with _bars() as bars:
            builder = HistoryBuilder(policy)
            if file is not None:
                day_first = dates == "day-first" if dates is not None else None
                call_log = CallLog(file, times, account_sid, day_first=day_first)
                log = _read(call_log, file, builder, account_sid, bars)
            else:
                log = _fetched(_wanted(settings, account_sid, since, before, times), builder, bars)
            report = _replayed(builder, policy, Source(source), log, whose, bars)
            if suggest:
                offer = _offer(report, _sid(settings, log, account_sid), ordinary, bars)
    except (ConfigurationError, CallGuardError, LogError) as error:
        raise click.ClickException(str(error)) from None
    if offer is not None:
        _hand_out(offer, write=write, yes=yes, wants_json=wants_json)
    elif wants_json:
        click.echo(json.dumps(as_json(report), indent=2))
    else:
        show(report)


def _offer(report: Report, account_sid: str, ordinary: tuple[datetime, ...], bars: _Bars) -> Offer:
    told = bars.steps("suggesting", len(report.history))
    days = {moment.date() for moment in ordinary}
    return Offer(report, suggested(report.history, report.policy, ordinary=days, progress=told), account_sid)


def _hand_out(offer: Offer, *, write: bool, yes: bool, wants_json: bool) -> None:
    if wants_json:
        click.echo(json.dumps(offer_json(offer), indent=2))
    else:
        show_offer(offer)
    if write and offer.rests_on_something:
        write_offer(offer, yes=yes)


def _sid(settings: Settings | None, log: Log, account_sid: str | None) -> str:
    """The account whose thresholds they are: as asked for, or the only one of the settings or of the log."""
    if account_sid is None and settings is not None and len(settings.accounts) == 1:
        return next(iter(settings.accounts))
    return account_sid or next(iter(log.accounts), "")


def _read(call_log: CallLog, file: BinaryIO, builder: HistoryBuilder, account_sid: str | None, bars: _Bars) -> Log:
    total = os.fstat(file.fileno()).st_size if file.seekable() and file is not sys.stdin.buffer else None
    log = call_log.read_into(builder, bars.bar("reading", total))
    if account_sid is None and len(log.accounts) > 1:
        shown = ", ".join(sid for sid, _ in log.accounts.most_common(5))
        raise LogError(f"the file has calls of {len(log.accounts)} accounts; choose one with --account: {shown}")
    return log


def _wanted(
    settings: Settings | None, account_sid: str | None, since: str | None, before: str | None, times: TimeReader
) -> _Fetch:
    if settings is None or not has_account(os.environ):
        raise LogError("--fetch needs TWILIO_ACCOUNT_SID and TWILIO_AUTH_TOKEN, or CALLGUARD_CONFIG")
    if since is None:
        raise LogError("--fetch needs --since TIME, for example --since 2026-11-14")
    if account_sid is None and len(settings.accounts) > 1:
        raise LogError(f"choose one with --account: {', '.join(settings.accounts)}")
    account_sid = account_sid or next(iter(settings.accounts))
    if account_sid not in settings.accounts:
        raise LogError(f"--account must be one of the configured accounts: {', '.join(settings.accounts)}")
    # Twilio's clock may be ahead of ours, and the library writes whole seconds.
    end = datetime.now(UTC) + timedelta(minutes=1) if before is None else _moment("--before", before, times)
    return _Fetch(settings, account_sid, _moment("--since", since, times), end)


def _fetched(wanted: _Fetch, builder: HistoryBuilder, bars: _Bars) -> Log:
    http_client, log = PooledHttpClient(connections=1), Log()
    calls = TwilioCalls(wanted.settings.accounts, wanted.settings.twilio_api_url, http_client)
    done = bars.bar("fetching calls", None)

    def rest(seconds: float, reason: str) -> None:
        say(f"{reason}; asking again in {seconds:g} s", bars.console)
        time.sleep(seconds)

    for page in calls.history(wanted.account_sid, wanted.since, wanted.before, rest):
        for call in page:
            log.rows += 1
            builder.add(call)
        done(log.rows)
    http_client.close()
    return log


def _replayed(
    builder: HistoryBuilder, policy: Policy, source: Source, log: Log, whose: str, bars: _Bars
) -> Report:
    if not len(builder):
        raise LogError(_nothing_to_replay(builder, log))
    history = builder.build()
    told = bars.steps("replaying", len(history) * _PASSES)
    played = Backtest(history, policy, source, progress=told)
    trips = played.run()
    found = tightest(history, policy, source, progress=told)
    return Report(history, policy, source, log, builder, trips, found, whose, played.unqueued)


def _nothing_to_replay(builder: HistoryBuilder, log: Log) -> str:
    """Say what was read instead of calls."""
    rest = {
        "of other accounts": log.other_accounts,
        "repeated a SID": builder.repeated,
        "without a time": builder.undated,
        "unreadable": log.unread.count,
    }
    told = [f"{count:,} {reason}" for reason, count in rest.items() if count]
    if log.other_directions:
        told.append(
            f"{log.other_directions.total():,} with a direction that is none: {counted(log.other_directions)}"
        )
    elif builder.children:
        told.append(f"{builder.children:,} inbound or legs of other calls")
    head = f"there is no outbound call to replay, that is, none with direction outbound-api, in {log.rows:,} rows"
    return "\n".join([head, *told, *log.unread.first])


@contextmanager
def _bars() -> Iterator[_Bars]:
    screen = console(stderr=True)
    columns = (
        TextColumn("{task.description}"), BarColumn(), TaskProgressColumn(), MofNCompleteColumn(),
        TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal) as progress:
        yield _Bars(progress, screen)


def _zone(name: str) -> tzinfo:
    if name.upper() == "UTC":
        return UTC
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise click.UsageError(f"--timezone {name} is not known; write for example Europe/Berlin") from None


def _moment(option: str, text: str, times: TimeReader) -> datetime:
    try:
        return datetime.fromtimestamp(times.milliseconds(text) / 1000, UTC)
    except ValueError:
        raise LogError(
            f"{option} {text!r} is no time; write for example 2026-11-14 or 2026-11-14T08:00Z"
        ) from None
