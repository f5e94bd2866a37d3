"""The sandbox's story, told in the terminal as it happens."""

import time

import urllib3
from rich.console import Console
from rich.live import Live
from rich.text import Text

from callguard.bootstrap import Services
from callguard.cli.sandbox import CPS, RUNAWAY_CALLS, RUNAWAY_RATE, Sandbox
from callguard.config.accounts import Account
from callguard.domain.accounts import State
from callguard.domain.incidents import Incident, Outcome
from callguard.guard.guard import describe
from callguard.ports import AccountReading, StoreUnavailable

LOOK_SECONDS = 0.5
# Without a terminal to redraw on, a line this often, and less when little changes.
PLAIN_LINE_SECONDS = 2.0
CALM_PLAIN_LINE_SECONDS = 30.0


class Story:
    """Looks at the guard twice a second; says what happened, and shows the figures as they are."""

    def __init__(self, sandbox: Sandbox, services: Services, console: Console) -> None:
        """Tell of the sandbox's one account on `console`."""
        self._sandbox = sandbox
        self._services = services
        self._account: Account = next(iter(services.accounts.values()))
        self._console = console
        self._live = Live(Text(""), console=console, auto_refresh=False, transient=True)
        self._looked_at = float("-inf")
        self._told_at = float("-inf")
        self._began: float | None = None
        self._state = State.ARMED
        self._incident: Incident | None = None

    def tick(self) -> None:
        """Look, if it is time to; what cannot be read now is read next time."""
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
        reading = self._services.readings.read(
            self._account.sid, self._account.policy, self._services.clock.now_ms()
        )
        self._incident = self._services.incidents.current(self._account.sid) or self._incident
        if reading.state is not self._state:
            self._state = reading.state
            self._tell_state(reading)
        self._show(now, reading)

    def _begin(self, now: float) -> None:
        self._began = now
        self._say(
            f"A script creates {RUNAWAY_CALLS:,} calls, {RUNAWAY_RATE} a second. Twilio dials {CPS} a second."
        )
        self._sandbox.run_away()
        if self._console.is_terminal:
            self._live.start()

    def _tell_state(self, reading: AccountReading) -> None:
        incident = self._incident
        if incident is None:
            return
        if self._state in (State.TRIPPED, State.DRAINING) and incident.cooled_ms == 0:
            seconds = (incident.tripped_ms - incident.finding.onset_ms) / 1000
            self._say(f"[bold red]TRIPPED[/] after {seconds:.1f} s by {describe(incident.finding)}.")
        elif self._state is State.COOLING:
            self._tell_drained(incident, reading)
        elif self._state is State.ARMED:
            self._say("[bold green]ARMED[/] again: it has been quiet. Ctrl-C stops the sandbox.")

    def _tell_drained(self, incident: Incident, reading: AccountReading) -> None:
        seconds = (incident.cooled_ms - incident.tripped_ms) / 1000
        escaped = incident.count(Outcome.DIALLED)
        self._say(
            f"[bold green]STOPPED[/] {seconds:.1f} s after the trip: "
            f"{incident.found:,} found = {incident.count(Outcome.CANCELLED):,} cancelled"
            f" + {escaped:,} escaped (dialled after the trip) + {incident.count(Outcome.GONE):,} gone."
        )
        drain = reading.snapshot.drain_seconds
        self._say(
            f"The dead calls keep their slots at Twilio: a new call waits {drain:.0f} s. Only time lowers that."
        )

    def _show(self, now: float, reading: AccountReading) -> None:
        line = self._figures(reading)
        if self._live.is_started:
            self._live.update(Text.from_markup(line), refresh=True)
            return
        calm = self._state in (State.ARMED, State.COOLING) and self._incident is not None
        if now - self._told_at >= (CALM_PLAIN_LINE_SECONDS if calm else PLAIN_LINE_SECONDS):
            self._told_at = now
            self._console.print(line, highlight=False, soft_wrap=True)

    def _figures(self, reading: AccountReading) -> str:
        incident, snapshot = self._incident, reading.snapshot
        cancelled = incident.count(Outcome.CANCELLED) if incident else 0
        escaped = incident.count(Outcome.DIALLED) if incident else 0
        return (
            f"{self._clock()}  {reading.state.value:<8}  queued {snapshot.depth:>5,}  "
            f"cancelled {cancelled:>5,}  escaped {escaped:>3,}  "
            f"drain estimate {snapshot.drain_seconds:>4.0f} s"
        )

    def _say(self, text: str) -> None:
        self._console.print(f"{self._clock()}  {text}", highlight=False, soft_wrap=True)

    def _clock(self) -> str:
        seconds = int(time.monotonic() - (self._began or time.monotonic()))
        return f"{seconds // 60:02d}:{seconds % 60:02d}"
