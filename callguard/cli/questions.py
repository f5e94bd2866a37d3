"""Questions whose answer cancels calls."""

import select
import sys
import termios

import click
from rich.text import Text

from callguard.cli.output import columns_of, wrapped

_LOOK_SECONDS = 0.2


def is_confirmed(question: str, *, default: bool = False) -> bool:
    """Ask on the terminal. What was typed before the question could be read is no answer to it.

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
