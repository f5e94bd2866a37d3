"""What the sandbox shows in the terminal, as it happens."""

import time

import urllib3
from rich.console import Console
from rich.live import Live
from rich.markup import escape
from rich.text import Text

from callguard.bootstrap import ConsoleParts
from callguard.cli.output import say
from callguard.cli.sandbox import CPS, RUNAWAY_CALLS, RUNAWAY_RATE, Sandbox
from callguard.config.accounts import Account
from callguard.detect.guard import describe
from callguard.domain.incidents import Incident
from callguard.domain.readings import AccountReading
from callguard.domain.snapshot import State
from callguard.domain.tally import Outcome
from callguard.domain.wording import figure, printable
from callguard.errors import StoreUnavailable
from callguard.processes.stop_signals import StopSignals

LOOK_SECONDS = 0.5
# Without a terminal to redraw: seconds between lines, and between lines while little changes.
PLAIN_LINE_SECONDS = 2.0
CALM_PLAIN_LINE_SECONDS = 30.0


class SandboxView:
    """Looks at the guard twice a second, prints what has happened, and shows the present figures."""

    def __init__(self, sandbox: Sandbox, parts: ConsoleParts, console: Console, signals: StopSignals) -> None:
        """Tell of the sandbox's one account on `console`, until one of `signals` has come."""
        self._sandbox = sandbox
        self._parts = parts
        self._account: Account = next(iter(parts.accounts.values()))
        self._console = console
        self._live = Live(Text(""), console=console, auto_refresh=False, transient=True)
        self._signals = signals
        self._looked_at = float("-inf")
        self._told_at = float("-inf")
        self._began: float | None = None
        self._state = State.ARMED
        self._is_paused = False
        self._incident: Incident | None = None
        self._tripped_told = ""
        self._stopped_told = ""

    def tick(self) -> None:
        """Look, if it is time to; what cannot be read now is read next time."""
        if self._signals.received is not None:
            self.end()
            return
        now = time.monotonic()
        if now - self._looked_at < LOOK_SECONDS:
            return
        self._looked_at = now
        try:
            self._look(now)
        except (StoreUnavailable, urllib3.exceptions.HTTPError):
            return

    def end(self) -> None:
        """Take the live line off the screen."""
        self._live.stop()

    def _look(self, now: float) -> None:
        if self._began is None:
            if self._sandbox.is_up():
                self._begin(now)
            return
        reading = self._parts.stores.readings.read(
            self._account.sid, self._account.policy, self._parts.clock.now_ms()
        )
        self._state = reading.state
        self._tell_pause(reading)
        self._tell_incident(reading)
        self._show(now, reading)

    def _begin(self, now: float) -> None:
        self._began = now
        self._say(
            f"A script creates {RUNAWAY_CALLS:,} calls, {RUNAWAY_RATE} a second. Twilio dials {CPS} a second."
        )
        self._sandbox.run_away()
        if self._console.is_terminal:
            self._live.start()

    def _tell_pause(self, reading: AccountReading) -> None:
        if reading.snapshot.paused is not self._is_paused:
            self._is_paused = reading.snapshot.paused
            told = escape(printable(reading.snapshot.pause.told or reading.snapshot.resumed.told))
            what = "PAUSED: nothing is cancelled until resumed" if self._is_paused else "RESUMED"
            self._say(f"{what}{f' ({told})' if told else ''}.")

    def _tell_incident(self, reading: AccountReading) -> None:
        """Tell what has become of the incident, also of one that came and went between two looks."""
        current = self._parts.stores.incidents.current(self._account.sid)
        latest = current or next(iter(self._parts.stores.incidents.recent(self._account.sid, 1)), None)
        if latest is None:
            return
        self._incident, before = latest, self._incident
        if self._tripped_told != latest.id:
            seconds = (latest.tripped_ms - latest.finding.onset_ms) / 1000
            self._say(f"[bold red]TRIPPED[/] after {figure(seconds)} s by {describe(latest.finding)}.")
            self._tripped_told = latest.id
        if latest.cooled_ms and self._stopped_told != latest.id:
            self._tell_stopped(latest, reading)
            self._stopped_told = latest.id
        if latest.closed_ms and (before is None or before.id != latest.id or not before.closed_ms):
            self._tell_closed(latest)

    def _tell_stopped(self, incident: Incident, reading: AccountReading) -> None:
        created = int(self._sandbox.truth()["created"])
        seconds = (incident.cooled_ms - incident.tripped_ms) / 1000
        self._say(
            f"[bold green]STOPPED[/] {figure(seconds)} s after the trip: {incident.found:,} found",
            f"= {incident.count(Outcome.CANCELLED):,} cancelled"
            f" + {incident.count(Outcome.DIALLED):,} dialled after the trip"
            f" + {incident.count(Outcome.GONE):,} gone.",
            f"{max(0, created - incident.found):,} of the {created:,} calls were dialled before the trip.",
        )
        self._say(
            f"The drain estimate is {reading.snapshot.drain_seconds:.0f} s: cancelled calls keep their slots",
            "at Twilio, so a new call waits that long. Only time lowers it.",
        )

    def _tell_closed(self, incident: Incident) -> None:
        if incident.reason.startswith("quiet"):
            self._say("[bold green]ARMED[/] again: it has been quiet. Ctrl-C stops the sandbox.")
        else:
            self._say(
                f"The incident was closed, reason: {escape(printable(incident.reason))}. The guard is armed."
            )

    def _show(self, now: float, reading: AccountReading) -> None:
        line = self._figures(reading)
        if self._live.is_started:
            # Cut rather than broken: a second line would be left behind.
            self._live.update(Text(line, no_wrap=True, overflow="ellipsis"), refresh=True)
            return
        calm = self._state in (State.ARMED, State.COOLING) and self._incident is not None
        if now - self._told_at >= (CALM_PLAIN_LINE_SECONDS if calm else PLAIN_LINE_SECONDS):
            self._told_at = now
            say(line, self._console)

    def _figures(self, reading: AccountReading) -> str:
        incident, snapshot = self._incident, reading.snapshot
        cancelled = incident.count(Outcome.CANCELLED) if incident else 0
        dialled = incident.count(Outcome.DIALLED) if incident else 0
        return (
            f"{self._clock()}  {reading.state.value:<8}  queued {snapshot.depth:>5,}  "
            f"cancelled {cancelled:>5,}  dialled {dialled:>2,}  "
            f"drain {snapshot.drain_seconds:>3.0f} s"
        )

    def _say(self, first: str, *more: str) -> None:
        """Print lines, below each other behind the clock; a line may have rich's markup."""
        for lead, line in ((self._clock(), first), *(("", line) for line in more)):
            say(Text.from_markup(f"{lead:<5}  {line}"), self._console)

    def _clock(self) -> str:
        seconds = int(time.monotonic() - (self._began or time.monotonic()))
        return f"{seconds // 60:02d}:{seconds % 60:02d}"
