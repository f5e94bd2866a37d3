"""`callguard simulate`: a simulated Twilio to try CallGuard against."""

import asyncio
import signal
from dataclasses import fields
from typing import Any

import click

from callguard.cli.output import say
from callguard.simulator import (
    SANDBOX_ACCOUNT_SID,
    SANDBOX_AUTH_TOKEN,
    AccountConfig,
    CallEvent,
    EventSink,
    Faults,
    ListOrder,
    RunawayPlan,
    Simulator,
    SimulatorConfig,
    StatusCallback,
)

_SHARE = click.FloatRange(0, 1)
_SECONDS = click.FloatRange(0)
_FAULTS = {fault.name for fault in fields(Faults)}


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", type=click.IntRange(0, 65535), default=8089, show_default=True, help="Port; 0: a free one."
)
@click.option(
    "--account",
    "sids",
    multiple=True,
    default=[SANDBOX_ACCOUNT_SID],
    help="Account SID; by default the sandbox's. May be given again: all accounts are alike.",
)
@click.option("--auth-token", default=SANDBOX_AUTH_TOKEN, help="Auth token; by default the sandbox's.")
@click.option(
    "--cps", type=click.FloatRange(0, min_open=True), default=1.0, show_default=True, help="Calls per second."
)
@click.option(
    "--ceiling", type=click.IntRange(1), default=100, show_default=True, help="Requests in flight before 429."
)
@click.option("--others", type=click.IntRange(0), default=0, help="Of those, other programs' requests.")
@click.option(
    "--tells-concurrency/--no-tells-concurrency",
    default=True,
    show_default=True,
    help="Whether replies have Twilio-Concurrent-Requests.",
)
@click.option("--latency", type=_SECONDS, default=0.1, show_default=True, help="Seconds that each request takes.")
@click.option(
    "--list-order",
    type=click.Choice([order.value for order in ListOrder]),
    default="newest",
    show_default=True,
    help="Of lists.",
)
@click.option("--list-lag", type=_SECONDS, default=0.0, show_default=True, help="Seconds that lists lag behind.")
@click.option("--seed", type=int, default=1, show_default=True, help="The same seed gives the same luck.")
@click.option("--error-rate", type=_SHARE, default=0.0, help="Share of requests refused with 500 or 503.")
@click.option("--throttle-rate", type=_SHARE, default=0.0, help="Share refused with 429 whatever the load.")
@click.option("--retry-after-seconds", type=_SECONDS, default=0.0, help="What a 429 asks for; 0: nothing.")
@click.option("--lost-reply-rate", type=_SHARE, default=0.0, help="Share of requests done but not answered.")
@click.option("--hang-rate", type=_SHARE, default=0.0, help="Share of requests neither done nor answered.")
@click.option("--hang-seconds", type=_SECONDS, default=60.0, show_default=True, help="How long those hang.")
@click.option("--callback-duplicate-rate", type=_SHARE, default=0.0, help="Share of callbacks sent twice.")
@click.option("--callback-disorder-rate", type=_SHARE, default=0.0, help="Share of callbacks held back.")
@click.option(
    "--callback-disorder-seconds", type=_SECONDS, default=5.0, show_default=True, help="For up to how long."
)
@click.option("--callback-drop-rate", type=_SHARE, default=0.0, help="Share of callbacks never sent.")
@click.option("--event-sink", metavar="URL", help="A webhook sink of Event Streams, such as a guard's.")
@click.option(
    "--runaway",
    type=click.IntRange(0),
    default=0,
    help="Create this many calls after the start, in the first account.",
)
@click.option("--rate", type=click.FloatRange(0), default=0.0, help="Calls per second of the runaway; 0: at once.")
@click.option("--status-callback", metavar="URL", help="Where the runaway's calls send all four callbacks.")
def simulate(runaway: int, rate: float, status_callback: str | None, **options: Any) -> None:
    """Run a simulated Twilio: its calls API, rate queue, limits and signed callbacks.

    Nobody is called. It asks for no credentials under /simulator/, so keep it on a loopback address.
    """
    try:
        config = _config(options)
        plan = RunawayPlan(runaway, rate, callback=_callback(status_callback))
    except ValueError as error:
        raise click.UsageError(str(error)) from None
    try:
        asyncio.run(_serve(config, plan))
    except OSError as error:
        raise click.ClickException(f"cannot listen on {config.host} port {config.port}: {error}") from None


def _config(options: dict[str, Any]) -> SimulatorConfig:
    """The simulator's configuration; takes what it knows from the options. Raises `ValueError`."""
    server = {name: options.pop(name) for name in ("host", "port", "seed")}
    faults = Faults(**{name: options.pop(name) for name in _FAULTS})
    options["list_order"] = ListOrder(options["list_order"])
    options["event_sink"] = EventSink(options["event_sink"]) if options["event_sink"] else None
    sids = options.pop("sids")
    return SimulatorConfig(accounts=tuple(AccountConfig(sid=s, **options, faults=faults) for s in sids), **server)


def _callback(url: str | None) -> StatusCallback | None:
    if url is None:
        return None
    if not url.startswith(("http://", "https://")):
        raise ValueError(f"--status-callback must be an http:// or https:// address, not {url}")
    return StatusCallback(url, events=frozenset(CallEvent))


async def _serve(config: SimulatorConfig, plan: RunawayPlan) -> None:
    """Serve until SIGINT or SIGTERM. Raises `OSError` when the port cannot be had."""
    stopped, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stopped.set)
    async with Simulator(config) as simulator:
        account = simulator.accounts[config.accounts[0].sid]
        click.echo(_greeting(simulator.url, account.config))
        if plan.calls:
            account.runaway.start(plan)
            say(f"Runaway: {plan.calls} calls, {f'{plan.rate:g} a second' if plan.rate else 'at once'}.")
        await stopped.wait()
        truth = account.truth()
    say(
        f"Stopped: {truth.created} calls created, {truth.dialled} dialled, {truth.cancelled} cancelled, "
        f"{truth.queued} still queued."
    )


def _greeting(url: str, account: AccountConfig) -> str:
    return f"""\
Simulated Twilio at {url}
  {account.cps:g} calls per second, {account.ceiling} requests at once, {account.latency:g} s each

Point CallGuard at it:
  export TWILIO_ACCOUNT_SID={account.sid}
  export TWILIO_AUTH_TOKEN={account.auth_token}
  export CALLGUARD_TWILIO_API_URL={url}

Create a call:
  curl -u {account.sid}:{account.auth_token} {url}/2010-04-01/Accounts/{account.sid}/Calls.json \\
    -d To=+15005550006 -d From=+15005550001 -d 'Twiml=<Response/>'

See the truth:
  curl {url}/simulator/accounts/{account.sid}

Ctrl-C stops it."""
