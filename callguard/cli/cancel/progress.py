"""How far `callguard cancel` is: a bar on a terminal, else a line now and then."""

import time
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress

from rich.console import Console, ConsoleRenderable, Group, RichCast
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskProgressColumn,
    TextColumn,
    TimeElapsedColumn,
)
from rich.text import Text

from callguard.cli import output
from callguard.domain.forecast import will_be_dialled
from callguard.domain.tally import Outcome, Tally
from callguard.domain.wording import figure

PLAIN_LINE_SECONDS = 2.0
RATE_SECONDS = 5.0

SILENT_SECONDS = 3.0
"""Seconds after which a silent Twilio is reported, with a warning that all calls left will ring."""


class ListTroubles:
    """Fulfils `ListTeller`: tells only what goes wrong while Twilio's list is read."""

    def __init__(self, console: Console) -> None:
        """Tell it on `console`."""
        self._console = console

    def page(self, pages: int, listed: int, meant: int) -> None:
        """Say nothing."""

    def rest(self, seconds: float, reason: str) -> None:
        """Say why, and wait."""
        say(self._console, f"  {reason}; asking for the page again in {seconds:g} s")
        time.sleep(seconds)

    def restart(self, reason: str) -> None:
        """Say why."""
        say(self._console, f"  {reason}; reading the list from its beginning again")


class ListProgress(ListTroubles):
    """How far the reading of Twilio's list is."""

    def __init__(self, console: Console) -> None:
        """Show it on `console`, while the context lasts."""
        super().__init__(console)
        self.listed = 0
        columns = TextColumn("  reading Twilio's list: {task.description}"), TimeElapsedColumn()
        self._progress = Progress(
            *columns, console=console, transient=True, disable=not console.is_terminal, redirect_stderr=False
        )
        self._task = self._progress.add_task("…", total=None)
        self._told_at = time.monotonic()

    def __enter__(self) -> "ListProgress":
        self._progress.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._progress.stop()

    def page(self, pages: int, listed: int, meant: int) -> None:
        """Show how much was read."""
        self.listed = listed
        text = f"page {pages:,}, {listed:,} calls, {meant:,} match"
        self._progress.update(self._task, description=text)
        now = time.monotonic()
        if not self._console.is_terminal and now - self._told_at >= PLAIN_LINE_SECONDS:
            self._told_at = now
            say(self._console, f"  reading Twilio's list: {text}")


class _Bar(Progress):
    """A bar with lines of figures below it."""

    lines: Sequence[str] = ()

    def get_renderable(self) -> ConsoleRenderable | RichCast | str:
        """Return the bar and the lines, which are cut rather than broken."""
        return Group(
            *self.get_renderables(), *(Text(line, no_wrap=True, overflow="ellipsis") for line in self.lines)
        )


class CancelProgress:
    """How far the cancelling is, how fast, and how many more will ring."""

    def __init__(self, console: Console, cps: float, dialled_before: float) -> None:
        """Begin.

        `cps`: calls that Twilio dials per second; `dialled_before`: slots that its dialler passed
        between the start of the cancel run and its break-off.
        """
        self._console = console
        self._cps = cps
        self._dialled_before = dialled_before
        self._began = time.monotonic()
        self._seen: deque[tuple[float, int]] = deque()
        self._told_at = float("-inf")
        self._told = ""
        self._bar = _Bar(
            TextColumn("  cancelling"), BarColumn(None), TaskProgressColumn(), MofNCompleteColumn(),
            TimeElapsedColumn(), console=console, auto_refresh=False, redirect_stderr=False,
            disable=not console.is_terminal, expand=True,
        )  # fmt: skip
        self._task = self._bar.add_task("", total=None)

    def __enter__(self) -> "CancelProgress":
        self._bar.start()
        return self

    def __exit__(self, *_error: object) -> None:
        with suppress(OSError):  # the terminal may be lost
            self._bar.stop()

    def show(
        self, tally: Tally, *, is_stopping: bool, silent_seconds: float = 0.0, throttled: bool = False
    ) -> None:
        """Show the tally as it is now.

        `silent_seconds`: for how long no reply of Twilio's was of use; `throttled`: it answers, but with 429 only.
        """
        now = time.monotonic()
        silence = _silence(silent_seconds, throttled=throttled)
        figures = list(self._figures(tally, now, is_stopping=is_stopping, silence=silence))
        if not self._console.is_terminal:
            self._tell("  ".join(figures), now)
            return
        settled = sum(tally.outcomes.values()) - tally.count(Outcome.PROTECTED)
        total = tally.found - tally.count(Outcome.PROTECTED)
        self._bar.lines = filled(figures, self._console.width)
        self._bar.update(self._task, completed=settled, total=total)
        with suppress(OSError):
            self._bar.refresh()

    def _tell(self, figures: str, now: float) -> None:
        if now - self._told_at < PLAIN_LINE_SECONDS or figures == self._told:
            return
        self._told_at, self._told = now, figures
        seconds = int(now - self._began)
        say(self._console, f"  {seconds // 60:02d}:{seconds % 60:02d}  {figures}")

    def _figures(self, tally: Tally, now: float, *, is_stopping: bool, silence: str) -> Iterator[str]:
        rate = self._rate(tally.count(Outcome.CANCELLED), now)
        yield f"cancelled {tally.count(Outcome.CANCELLED):,}"
        yield f"left {tally.remaining:,}"
        yield f"dialled {tally.count(Outcome.DIALLED):,}"
        if tally.remaining:
            yield f"{figure(rate) if rate < 10 else f'{rate:,.0f}'}/s"
        if is_stopping:
            yield "stopping: waiting for replies"
        elif not tally.remaining:
            yield "looking for more"
        elif silence:
            yield silence
            yield f"all {tally.remaining:,} left will ring"
        elif rate or now - self._began > SILENT_SECONDS:
            yield self._forecast(tally, rate, now)

    def _forecast(self, tally: Tally, rate: float, now: float) -> str:
        passed = self._dialled_before + self._cps * (now - self._began)
        ahead = max(0.0, tally.count(Outcome.CANCELLED) - passed)
        return f"about {will_be_dialled(tally.remaining, rate, self._cps, ahead):,.0f} more will ring"

    def _rate(self, cancelled: int, now: float) -> float:
        """Cancelled calls per second over the last few seconds."""
        self._seen.append((now, cancelled))
        while len(self._seen) > 2 and self._seen[1][0] <= now - RATE_SECONDS:
            self._seen.popleft()
        then, before = self._seen[0]
        return max(0.0, (cancelled - before) / (now - then)) if now > then else 0.0


def filled(parts: Iterable[str], width: int) -> list[str]:
    """Return lines of at most `width` columns, two of them blank at the left, with the parts in their order."""
    lines: list[str] = []
    for part in parts:
        if lines and len(lines[-1]) + 2 + len(part) <= width:
            lines[-1] += f"  {part}"
        else:
            lines.append(f"  {part}")
    return lines


def _silence(seconds: float, *, throttled: bool) -> str:
    if seconds < SILENT_SECONDS:
        return ""
    return f"Twilio {'answers only 429' if throttled else 'has not answered'} for {seconds:.0f} s"


def say(console: Console, text: str) -> None:
    """Print lines; a lost terminal must not keep us from recording outcomes."""
    with suppress(OSError):
        output.say(text, console)


def say_command(console: Console, command: str) -> None:
    """Print a command to be typed; a lost terminal is ignored too."""
    with suppress(OSError):
        output.say_command(command, console)
