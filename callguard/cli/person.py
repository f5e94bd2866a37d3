"""The person at the command line."""

import getpass
import os
import socket

import click

from callguard.domain.reasons import checked_reason, printable


def person() -> str:
    """Return who it is, as `user@host`."""
    try:
        user = getpass.getuser()
    except (KeyError, OSError, ImportError):
        user = str(os.getuid())
    return printable(f"{user}@{socket.gethostname()}")[:100]


class Reason(click.ParamType[str]):
    """Why somebody does something: one line of at most 500 characters, for others to read."""

    name = "text"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """Check it; `click.BadParameter` says what is wrong."""
        try:
            return checked_reason(value)
        except ValueError as error:
            self.fail(f"the reason {error}.", param, ctx)
