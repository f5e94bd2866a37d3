"""One run of `callguard cancel`: find, show, ask, cancel, report."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import click
from rich.console import Console

from callguard.bootstrap import ConsoleParts, build_console, telephony_of
from callguard.cancel.manual_cancel import ManualCancelEnd
from callguard.cancel.needs import QueuedCalls
from callguard.cancel.queue_search import find
from callguard.cli.cancel.final_report import FinalReport, Quotes, Wait, guards_view, wait_of
from callguard.cli.cancel.options import CancelOptions, resuming_command
from callguard.cli.cancel.other_queued import OtherQueued, others_queued
from callguard.cli.cancel.progress import CancelProgress, ListProgress, say, say_command
from callguard.cli.cancel.record import progress_record
from callguard.cli.cancel.resume import Resumed, SearchTarget, resumed
from callguard.cli.cancel.run import CancelSweep
from callguard.cli.cancel.search_report import SearchReport
from callguard.cli.output import say_block
from callguard.cli.person import is_confirmed
from callguard.clock import SystemClock
from callguard.config.accounts import Account
from callguard.config.settings import Settings
from callguard.domain.calls import ListedCall
from callguard.domain.cancel_run import found_calls
from callguard.domain.policy import Policy
from callguard.domain.tally import Outcome, Tally
from callguard.errors import TwilioRefused, TwilioThrottled, TwilioUnavailable
from callguard.processes.embedded_valkey import EmbeddedValkey
from callguard.processes.stop_signals import StopSignals

INTERRUPTED = 130
"""The exit code after Ctrl-C: 128 and the signal's number."""


@dataclass(frozen=True, slots=True)
class CancelSession:
    """A person's cancel run on one account."""

    settings: Settings
    account: Account
    wanted: CancelOptions
    console: Console

    def look(self) -> int:
        """Show what is found, and cancel nothing."""
        telephony = telephony_of(self.settings)
        calls = self._find(telephony, SearchTarget(self.wanted.selection))
        code = 0 if calls else self._found_nothing(telephony)
        say(self.console, "Nothing was cancelled: this was a dry run.")
        return code

    def has_unfinished(self) -> bool:
        """Return whether a run was broken off."""
        if not self._folder.exists():
            return False
        with progress_record(self._folder, self.account.sid) as valkey:
            parts = build_console(self.settings.with_redis_url(valkey.url))
            return parts.stores.cancel_runs.unfinished(self.account.sid) is not None

    def run(self) -> int:
        """Show, ask, cancel; return the exit code."""
        with progress_record(self._folder, self.account.sid) as valkey:
            parts = build_console(self.settings.with_redis_url(valkey.url))
            try:
                before = resumed(parts.stores.cancel_runs, self.account, self.wanted, parts.clock.now_ms())
                calls = self._find(
                    parts.telephony, before.target if before else SearchTarget(self.wanted.selection)
                )
                if before is None and not calls:
                    return self._found_nothing(parts.telephony)
                if before is None and not any(map(self._is_cancelled, calls)):
                    say(self.console, "There is nothing to cancel.")
                    return 0
                if not self._is_agreed(before, calls):
                    say(self.console, "Nothing was cancelled.")
                    return 1
            except (KeyboardInterrupt, click.Abort):
                say(self.console, "\nNothing was cancelled.")
                return INTERRUPTED
            with StopSignals() as signals:
                sweep, began_ms = self._prepared(parts, signals, before, calls)
                return self._cancel(sweep, began_ms, valkey)

    def _find(self, telephony: QueuedCalls, target: SearchTarget) -> list[ListedCall]:
        """Read Twilio's list and show what matches."""
        with _reported_list_errors(self.settings), ListProgress(self.console) as progress:
            calls = find(telephony, self.account.sid, target.selection, progress, target.is_meant)
        now_ms = SystemClock().now_ms()
        found = SearchReport(
            self.account, calls, progress.listed, now_ms, self._cps, self._cps_is_assumed, self.wanted.price
        )
        with suppress(OSError):  # the terminal may be lost
            say_block(found.rows(shows_numbers=self.wanted.shows_numbers), 10, self.console)
        return calls

    def _found_nothing(self, telephony: QueuedCalls) -> int:
        """Say what else is queued; return 0 if nothing is, and the options are not the reason."""
        selection = self.wanted.selection
        if selection.takes_every_call:
            say(self.console, "There is nothing to cancel.")
            return 0
        others = self._others(telephony)
        say(self.console, others.after_nothing())
        return 0 if others.are_none and not selection.begins_after(SystemClock().now_ms()) else 1

    def _others(self, telephony: QueuedCalls, is_other: Callable[[ListedCall], bool] | None = None) -> OtherQueued:
        shows_numbers = self.wanted.shows_numbers
        return others_queued(telephony, self.account.sid, self.console, is_other, shows_numbers=shows_numbers)

    def _is_agreed(self, before: Resumed | None, calls: Sequence[ListedCall]) -> bool:
        to_cancel = {call.call_sid for call in calls if self._is_cancelled(call)}
        count = len(to_cancel | before.left if before else to_cancel)
        if self.wanted.yes or not count:
            return True
        return is_confirmed(f"Cancel {count:,} queued {'call' if count == 1 else 'calls'}?")

    def _is_cancelled(self, call: ListedCall) -> bool:
        return not self.account.hasher.is_protected(call.from_number, call.to_number)

    def _prepared(
        self, parts: ConsoleParts, signals: StopSignals, before: Resumed | None, calls: Sequence[ListedCall]
    ) -> tuple[CancelSweep, int]:
        """Return the sweep over the calls, all of them recorded, and when its cancel run began (Unix ms)."""
        sid, selection, now_ms = self.account.sid, self.wanted.selection, parts.clock.now_ms()
        found = list(found_calls(calls, self.account.hasher, now_ms))
        console, target = self.console, before.target if before else SearchTarget(selection)
        quotes = Quotes(target.takes_every_call)
        quotes.note(calls, now_ms)
        if before is None:
            numbers = self.account.hasher.digest(selection.text_of_numbers())
            since_ms, before_ms = selection.since_ms, selection.before_ms
            cancel_run = parts.stores.cancel_runs.begin(
                sid, numbers, now_ms, since_ms=since_ms, before_ms=before_ms
            )
            cancel_run.add(found)
            return CancelSweep(parts, self.account, cancel_run, target, set(), console, signals, quotes), now_ms
        before.cancel_run.add(found, again=(Outcome.GONE, Outcome.FAILED))
        unlisted = set(before.left - {call.call_sid for call in calls})
        sweep = CancelSweep(parts, self.account, before.cancel_run, target, unlisted, console, signals, quotes)
        return sweep, before.began_ms

    def _cancel(self, sweep: CancelSweep, began_ms: int, valkey: EmbeddedValkey) -> int:
        clock, started_ms = sweep.parts.clock, sweep.parts.clock.now_ms()
        wanted = replace(self.wanted, selection=sweep.target.selection)
        resume = resuming_command(self.account.sid, wanted, with_numbers=self._shows_numbers)
        say(self.console, "Cancelling, the oldest first. Ctrl-C stops; also after a kill, this goes on:")
        say_command(self.console, resume)
        progress = CancelProgress(self.console, self._cps, self._cps * (started_ms - began_ms) / 1000)
        end = sweep.run(valkey, progress)
        tally, now_ms = sweep.cancel_run.tally(), clock.now_ms()
        report = FinalReport(
            end,
            tally,
            seconds=(now_ms - started_ms) / 1000,
            wait=self._wait(tally, sweep.quotes, began_ms, now_ms),
            lagging=sweep.lagging,
            looked_for_newer=sweep.target.known is None,
            others=self._newer(sweep) if end is ManualCancelEnd.CLEARED else None,
        )
        if report.is_done:
            sweep.parts.stores.cancel_runs.forget(self.account.sid)
        for line in report.lines():
            say(self.console, line)
        if not report.is_done:
            say_command(self.console, resume)
        if end is ManualCancelEnd.STOPPED and sweep.signals.received is not None:
            return 128 + sweep.signals.received
        return 0 if report.is_done and (report.others is None or report.others.are_none) else 1

    def _wait(self, tally: Tally, quotes: Quotes, began_ms: int, now_ms: int) -> Wait:
        own_seconds = tally.count(Outcome.CANCELLED) / self._cps - (now_ms - began_ms) / 1000
        return wait_of(own_seconds, guards_view(self.settings, self.account, now_ms), quotes, now_ms)

    def _newer(self, sweep: CancelSweep) -> OtherQueued | None:
        """What else is queued, if only this run's own calls were looked for."""
        if sweep.target.known is None:
            return None
        known = sweep.cancel_run.known()
        return self._others(
            sweep.parts.telephony, lambda call: call.call_sid not in known and self._is_cancelled(call)
        )

    @property
    def _cps(self) -> float:
        return self.wanted.cps or self.account.policy.cps

    @property
    def _cps_is_assumed(self) -> bool:
        return self.wanted.cps is None and self.account.policy.cps == Policy().cps

    @property
    def _shows_numbers(self) -> bool:
        """Whether the numbers of the command line may be printed again: not where the output may be kept."""
        return self.wanted.shows_numbers or self.console.is_terminal

    @property
    def _folder(self) -> Path:
        """Where the progress is kept, apart for each account, so that two can be worked on at once."""
        return self.settings.data_dir / "cancel" / self.account.sid


@contextmanager
def _reported_list_errors(settings: Settings) -> Iterator[None]:
    try:
        yield
    except (TwilioRefused, TwilioThrottled, TwilioUnavailable) as error:
        text = f"{error}. Nothing was cancelled."
        if isinstance(error, TwilioRefused) and error.http_status == 404:
            text += " Check TWILIO_ACCOUNT_SID."
        elif isinstance(error, TwilioUnavailable):
            text += f" CALLGUARD_TWILIO_API_URL={settings.twilio_api_url}; try again."
        raise click.ClickException(text) from None
