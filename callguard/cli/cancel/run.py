"""The cancelling itself, under a progress bar, until it is done or a person stops it."""

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from rich.console import Console

from callguard.bootstrap import ConsoleParts
from callguard.cancel.liveness import Liveness
from callguard.cancel.look_first import LookFirst
from callguard.cancel.manual_cancel import ManualCancel, ManualCancelEnd
from callguard.cancel.queue_search import find
from callguard.cancel.until_empty import in_thread
from callguard.cli.cancel.final_report import Quotes
from callguard.cli.cancel.progress import CancelProgress, ListTroubles, say
from callguard.cli.cancel.resume import SearchTarget
from callguard.config.accounts import Account
from callguard.domain.cancel_run import FoundCall, found_calls
from callguard.errors import StoreUnavailable, TwilioRefused, TwilioThrottled, TwilioUnavailable
from callguard.processes.embedded_valkey import EmbeddedValkey
from callguard.processes.stop_signals import StopSignals
from callguard.store.cancel_runs import RedisCancelRun

SHOW_SECONDS = 0.2


@dataclass(slots=True)
class CancelSweep:
    """Cancels a cancel run's calls, and those that Twilio's list shows meanwhile.

    Attributes:
        cancel_run: the record of the calls.
        sought: which calls to look for.
        unlisted: calls that are to be looked at first, since the list does not show them.
        quotes: what the lists tell of their calls' waiting.
        lagging: calls that are over and that the latest list still shows.
    """

    parts: ConsoleParts
    account: Account
    cancel_run: RedisCancelRun
    target: SearchTarget
    unlisted: set[str]
    console: Console
    signals: StopSignals
    quotes: Quotes
    lagging: int = 0

    def run(self, valkey: EmbeddedValkey, progress: CancelProgress) -> ManualCancelEnd:
        """Cancel, and keep the Valkey alive meanwhile.

        Raises:
            StoreUnavailable: the record cannot be read or written.
        """
        with progress:
            return asyncio.run(self._run(valkey, progress))

    async def _run(self, valkey: EmbeddedValkey, progress: CancelProgress) -> ManualCancelEnd:
        async with self.parts.canceller() as canceller:
            careful = LookFirst(canceller, self.unlisted) if self.unlisted else canceller
            liveness = Liveness(careful, self.cancel_run)
            manual_cancel = ManualCancel(
                self.account.sid, self.cancel_run, liveness, self._find_again, self._may_go_on
            )
            task = asyncio.create_task(manual_cancel.run())
            while not task.done():
                await asyncio.wait({task}, timeout=SHOW_SECONDS)
                valkey.revive()
                with suppress(StoreUnavailable):
                    progress.show(
                        self.cancel_run.tally(),
                        is_stopping=not self._may_go_on(),
                        silent_seconds=liveness.silent_seconds,
                        throttled=liveness.is_throttled,
                    )
            self.lagging = manual_cancel.lagging
            return await task

    def _may_go_on(self) -> bool:
        return self.signals.received is None

    async def _find_again(self) -> Sequence[FoundCall] | None:
        """Read the list in a thread, which is left alone once we are stopped: a page takes Twilio seconds."""
        reading = in_thread(self._found)
        while not reading.done():
            if not self._may_go_on():
                return None
            await asyncio.wait({reading}, timeout=SHOW_SECONDS / 4)
        try:
            return reading.result()
        except (TwilioRefused, TwilioThrottled, TwilioUnavailable) as error:
            say(self.console, f"  Twilio's list could not be read again: {error}")
            return None

    def _found(self) -> list[FoundCall]:
        teller, target = ListTroubles(self.console), self.target
        calls = find(self.parts.telephony, self.account.sid, target.selection, teller, target.is_meant)
        now_ms = self.parts.clock.now_ms()
        self.quotes.note(calls, now_ms)
        return list(found_calls(calls, self.account.hasher, now_ms))
