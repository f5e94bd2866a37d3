"""The `callguard` command."""

import click

from callguard import __version__
from callguard.cli.backtest.command import backtest
from callguard.cli.campaign import campaign
from callguard.cli.cancel.command import cancel
from callguard.cli.check import check
from callguard.cli.control import pause, reset, resume
from callguard.cli.output import Commands
from callguard.cli.simulate import simulate
from callguard.cli.status import status
from callguard.cli.up import up


@click.group(cls=Commands)
@click.version_option(__version__, prog_name="callguard")
def main() -> None:
    """CallGuard stops a runaway of queued Twilio calls.

    Settings come from the environment and from the TOML file that CALLGUARD_CONFIG names. Start with
    `callguard up`: without Twilio credentials it runs a sandbox.
    """


for command in (up, check, status, cancel, pause, resume, reset, campaign, backtest, simulate):
    main.add_command(command)
