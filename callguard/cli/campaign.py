"""`campaign`: announce that many calls will come, so that they trip nothing."""

from collections.abc import Iterator
from datetime import UTC, datetime

import click

from callguard.bootstrap import ConsoleParts
from callguard.cli.connect import chosen_account, connect, reported_store_errors
from callguard.cli.moments import Moment
from callguard.cli.output import say, say_command
from callguard.config.accounts import Account
from callguard.config.policy_texts import number
from callguard.detect.campaigns import Released
from callguard.domain.campaigns import MAX_CAMPAIGN_SECONDS, Campaign
from callguard.domain.wording import printable
from callguard.errors import TooManyCampaigns


@click.command()
@click.argument("account_sid", metavar="[ACCOUNT]", required=False)
@click.option("--calls", type=click.IntRange(1, 1_000_000), help="How many calls will come.")
@click.option("--from", "numbers", multiple=True, metavar="NUMBER", help="Their From; without it any number.")
@click.option("--until", type=Moment(), metavar="TIME", help="When it expires: 18:00, 2h, or 2026-11-21T18:00Z.")
@click.option("--end", "ended_id", metavar="ID", help="End a campaign now.")
@click.option(
    "--release",
    is_flag=True,
    help="With --end: treat its queued calls as ordinary calls, so that they may be cancelled.",
)
@click.option(
    "--shared",
    is_flag=True,
    help="With --release: also those that may as well be another campaign's.",
)
def campaign(
    account_sid: str | None,
    calls: int | None,
    numbers: tuple[str, ...],
    until: datetime | None,
    ended_id: str | None,
    release: bool,
    shared: bool,
) -> None:
    """Announce a campaign, end one, or list those of the last 30 days.

    Announced calls trip nothing and are never cancelled automatically; more calls than were announced, calls from
    other numbers, and calls after TIME count as always. With several --from each may send as many CALLS.
    """
    if calls is None and (numbers or until):
        raise click.UsageError("--calls says how many calls will come; it is missing")
    if ended_id is not None and calls is not None:
        raise click.UsageError("--end ends a campaign and --calls announces one; give one of them")
    if release and ended_id is None:
        raise click.UsageError("--release goes with --end ID")
    if shared and not release:
        raise click.UsageError("--shared goes with --end ID --release")
    parts = connect()
    account = chosen_account(parts, account_sid)
    with reported_store_errors():
        if ended_id is not None:
            _end(parts, account, ended_id, release=release, shared=shared)
        elif calls is None:
            _list(parts, account)
        elif until is None:
            raise click.UsageError("--until says when the campaign expires; it is missing, for example --until 2h")
        else:
            _announce(parts, account, calls, [_checked(n) for n in dict.fromkeys(numbers)], until)


def _checked(text: str) -> str:
    try:
        if "*" in text:
            raise ValueError("is a prefix; name each number with a --from of its own")
        return number(text)
    except ValueError as error:
        raise click.BadParameter(f"{text!r} {error}", param_hint="--from") from error


def _announce(parts: ConsoleParts, account: Account, calls: int, numbers: list[str], until: datetime) -> None:
    now_ms = parts.clock.now_ms()
    until_ms = round(until.timestamp() * 1000)
    if not now_ms < until_ms <= now_ms + MAX_CAMPAIGN_SECONDS * 1000:
        raise click.BadParameter("must be in the future, and 7 days ahead at most", param_hint="--until")
    planned = parts.campaigns.planned(account, calls, numbers, until_ms, "command line")
    try:
        parts.campaigns.announce(account.sid, planned)
    except TooManyCampaigns as error:
        raise click.ClickException(str(error)) from error
    for one in planned:
        say(f"{one.id}: {calls:,} calls {_of(one)} are announced until {_utc(until_ms)}.")
    say("They trip nothing. `callguard campaign` lists them; --end ID ends one.")


def _end(parts: ConsoleParts, account: Account, campaign_id: str, *, release: bool, shared: bool) -> None:
    ended = parts.campaigns.end(account.sid, campaign_id, release=release, with_shared=shared)
    if ended is None:
        raise click.ClickException(f"{account.sid} has no campaign {campaign_id}: see `callguard campaign`.")
    campaign = ended.campaign
    if ended.was_over:
        say(f"{campaign.id} was over already, since {_utc(campaign.over_ms)}: {_came(campaign)}.")
    else:
        say(f"{campaign.id} has ended: {_came(campaign)}.")
    if ended.released is not None:
        _say_released(account, campaign, ended.released)


def _say_released(account: Account, campaign: Campaign, released: Released) -> None:
    say(f"{released.calls:,} of its calls that are queued count as any other now, and may be cancelled.")
    if released.shared:
        others = ", ".join(f"{one.id} ({_of(one)}, {_came(one)})" for one in released.shared_with)
        say(
            f"{released.shared:,} more may be its calls or those of {others or 'others, which Redis has lost'}: "
            "they stay announced. To release them too:"
        )
        say_command(f"callguard campaign {account.sid} --end {campaign.id} --release --shared")


def _came(campaign: Campaign) -> str:
    return f"{campaign.came:,} of {campaign.calls:,} calls came"


def _list(parts: ConsoleParts, account: Account) -> None:
    lines = list(_lines(parts.campaigns.recent(account.sid), parts.clock.now_ms()))
    say("\n".join(lines) if lines else f"{account.sid} has had no campaigns in the last 30 days.")


def _lines(campaigns: list[Campaign], now_ms: int) -> Iterator[str]:
    for c in campaigns:
        state = f"until {_utc(c.over_ms)}" if c.over_ms > now_ms else f"over since {_utc(c.over_ms)}"
        yield f"{c.id}  {c.came:,} of {c.calls:,} calls {_of(c)}, {state}, by {printable(c.announced_by)}"


def _of(campaign: Campaign) -> str:
    return f"from {campaign.sender_shown}" if campaign.sender_shown else "from any number"


def _utc(ms: int) -> str:
    return f"{datetime.fromtimestamp(ms / 1000, UTC):%Y-%m-%d %H:%M} UTC"
