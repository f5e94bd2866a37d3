"""What commands print: lines broken at words on a terminal, and unbroken anywhere else.

A file, a pipe or a job's log is read by programs and copied from, so lines stay whole there. On a terminal neither
a word nor a command is broken: text between backticks, and what `say_command` prints. Such text stays whole even
if it is wider than the terminal, so that copying it gives one line.
"""

import os
import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import click
from click.exceptions import NoArgsIsHelpError
from rich.cells import cell_len
from rich.console import Console
from rich.table import Table
from rich.text import Text

_USUAL_COLUMNS = 80
_UNBOUNDED_COLUMNS = 10_000
"""More than any table needs."""

_UNBREAKABLE = re.compile(r"(?:`[^`]*`|[^ `]|`)+")
_LABEL = re.compile(r" *\S+(?: \S+)* {2,}")
_PARAGRAPH_HANG = 2


def console(*, stderr: bool = False) -> Console:
    """Return a console of standard output, or error: the only place that makes them."""
    made = Console(highlight=False, soft_wrap=True, stderr=stderr)
    columns = columns_of(made.file)
    if columns is not None and columns != made.width:
        made.width = columns  # rich takes every dumb terminal to have 80
    return made


def say(text: str | Text, to: Console | None = None) -> None:
    """Print lines, by default to standard output."""
    to = to or console()
    whole = Text(text) if isinstance(text, str) else text
    to.print(wrapped(whole, columns_of(to.file)), soft_wrap=True)


def say_command(command: str, to: Console | None = None) -> None:
    """Print a command to be typed, on a line of its own; indented where it fits so."""
    to = to or console()
    columns = columns_of(to.file)
    indent = "  " if columns is None or cell_len(command) + 2 <= columns else ""
    to.print(Text(f"{indent}{command}"), soft_wrap=True)


def say_block(rows: Iterable[tuple[str, str]], width: int, to: Console | None = None) -> None:
    """Print texts, each beside its label, for which there are `width` columns behind two blank ones."""
    for label, text in rows:
        say(f"  {label:<{width}}{text}", to)


def say_table(table: Table, to: Console | None = None) -> None:
    """Print a table: within the terminal, or as wide as what is in it."""
    to = to or console()
    to.print(table, width=columns_of(to.file) or _UNBOUNDED_COLUMNS)


def columns_of(stream: Any) -> int | None:
    """Return how many columns a stream's terminal has; None where it is no terminal."""
    if not stream.isatty():
        return None
    told = os.environ.get("COLUMNS", "")
    try:
        seen = os.get_terminal_size(stream.fileno()).columns
    except (OSError, ValueError):
        seen = 0
    known = [columns for columns in (int(told) if told.isdecimal() else 0, seen) if columns]
    return min(known, default=_USUAL_COLUMNS)


def wrapped(text: Text, columns: int | None, first: int = 0) -> Text:
    """Return a text in lines of at most that many columns, where words allow it; None leaves it as it is.

    Further lines are indented to the first word, or to the text after a label and two blanks. `first`: so many
    columns of the first line are taken.
    """
    if columns is None:
        return text
    head, *rest = text.split(allow_blank=True)
    below = (_wrapped_line(line, columns, 0) for line in rest)
    return Text("\n").join([_wrapped_line(head, columns, first), *below])


def _wrapped_line(line: Text, columns: int, taken: int) -> Text:
    hang = _hang(line.plain, columns)
    return Text("\n" + " " * hang).join(line[start:end] for start, end in _parts(line.plain, columns, taken, hang))


def _parts(line: str, columns: int, taken: int, hang: int) -> Iterator[tuple[int, int]]:
    start = end = 0
    for word in _UNBREAKABLE.finditer(line):
        if (end or taken) and taken + cell_len(line[start : word.end()]) > columns:
            yield start, end
            start, taken = word.start(), hang
        end = word.end()
    yield start, len(line)


def _hang(line: str, columns: int) -> int:
    label = _LABEL.match(line)
    if label and cell_len(label[0]) <= columns // 2:
        return cell_len(label[0])
    lead = len(line) - len(line.lstrip(" "))
    return min(lead or _PARAGRAPH_HANG, columns // 2)


class Commands(click.Group):
    """A group of commands whose errors are printed like all other output."""

    def invoke(self, ctx: click.Context) -> Any:
        """Invoke the command that is named."""
        try:
            return super().invoke(ctx)
        except NoArgsIsHelpError:
            raise
        except click.UsageError as error:
            raise click.UsageError(_error_text(error), error.ctx) from error
        except click.ClickException as error:
            raise click.ClickException(_error_text(error)) from error


def _error_text(error: click.ClickException) -> str:
    return wrapped(Text(error.format_message()), columns_of(sys.stderr), len("Error: ")).plain
