"""The person at the command line: a name, and questions whose answer cancels calls."""

import getpass
import os
import select
import socket
import sys
import termios

import click
from rich.text import Text

from callguard.cli.output import columns_of, wrapped
from callguard.domain.wording import checked_reason, printable


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


_LOOK_SECONDS = 0.2


def is_confirmed(question: str, *, default: bool = False) -> bool:
    """Ask on the terminal. Input typed before the question could be read is discarded.

    Raises `click.Abort` when the terminal is closed, and `KeyboardInterrupt` at Ctrl-C.
    """
    if not sys.stdin.isatty():
        return click.confirm(question, default=default)
    termios.tcflush(sys.stdin, termios.TCIFLUSH)
    while True:
        asked = Text(f"{question} [{'Y/n' if default else 'y/N'}]: ")
        click.echo(wrapped(asked, columns_of(sys.stdout)).plain, nl=False)
        answer = _line().strip().lower()
        if answer in ("y", "yes", "n", "no", ""):
            return answer in ("y", "yes") if answer else default
        click.echo("Please answer y or n.")


def _line() -> str:
    # Not `input()`: a Ctrl-C that comes just before its read blocks is kept waiting until something is typed.
    while not select.select([sys.stdin], [], [], _LOOK_SECONDS)[0]:
        pass
    try:
        line = sys.stdin.readline()
    except OSError as error:  # a terminal that hung up reads as EIO
        raise click.Abort from error
    if not line:
        raise click.Abort
    return line
