"""Cancelling queued calls at a person's command: sweep and list again until the list shows no matching call."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from callguard.cancel.liveness import Liveness
from callguard.cancel.needs import CancelRun
from callguard.cancel.sweep import Sweep
from callguard.cancel.until_empty import Listed, until_empty
from callguard.domain.cancel_run import Added, FoundCall
from callguard.domain.concurrency import ConcurrencyLimit
from callguard.domain.tally import Outcome
from callguard.errors import StoreUnavailable

_log = logging.getLogger(__name__)

PAUSE_BETWEEN_LISTS_SECONDS = 2.0

LAG_SECONDS = 30.0
"""Seconds for which a list may still show finished calls; after that its silence on all others is believed."""

MAX_FRUITLESS_SWEEPS = 3
MAX_TIMES_GONE = 3
MAX_STORE_FAILURES = 40
STORE_PAUSE_SECONDS = 0.5
LOOK_SECONDS = 0.05
GRACE_SECONDS = 5.0
MAX_CALLS = 10_000_000
"""More than Twilio's queue can hold."""


class ManualCancelEnd(Enum):
    """Why a cancel run came to its end.

    `cleared`: Twilio's list has shown no matching call, twice in a row. `stopped`: a person stopped it. `denied`:
    Twilio refuses our credentials. `stuck`: calls are left to which Twilio gives no reply. `unlisted`: nothing is
    left, but Twilio's list could not be read again. `lost`: the record of the cancel run is gone.
    """

    CLEARED = "cleared"
    STOPPED = "stopped"
    DENIED = "denied"
    STUCK = "stuck"
    UNLISTED = "unlisted"
    LOST = "lost"


FindAgain = Callable[[], Awaitable[Sequence[FoundCall] | None]]


@dataclass(slots=True)
class ManualCancel:
    """Cancels the calls of a cancel run, oldest first, and those that arrive meanwhile.

    Attributes:
        account_sid: whose calls they are.
        cancel_run: the calls, and what has become of them.
        liveness: passes requests to Twilio and outcomes to the cancel run, and knows when either is stuck.
        find_again: reads Twilio's list; None if it cannot be read, or the person has stopped the run.
        may_go_on: False once the person has stopped the run; asked many times a second.
        lagging: how many finished calls the latest list still shows.
    """

    account_sid: str
    cancel_run: CancelRun
    liveness: Liveness
    find_again: FindAgain
    may_go_on: Callable[[], bool]
    lagging: int = 0
    _limit: ConcurrencyLimit = field(default_factory=ConcurrencyLimit)
    _times_gone: int = 0
    _fresh_at: float = 0.0
    _rests: bool = False

    async def run(self) -> ManualCancelEnd:
        """Cancel until nothing is left. On return no request is under way, or `GRACE_SECONDS` were waited for it.

        Raises:
            StoreUnavailable: the cancel run could not be read or written, for `MAX_STORE_FAILURES` tries, or not
                written for `MAX_UNRECORDED_SECONDS`.
        """
        self._fresh_at = self.liveness.monotonic()
        return await until_empty(
            self._sweep, self._read_list, lambda: ManualCancelEnd.CLEARED, self._wait_for_store
        )

    async def _wait_for_store(self, error: StoreUnavailable, failures: int) -> None:
        if failures >= MAX_STORE_FAILURES or self.liveness.is_unrecorded or not self.may_go_on():
            raise error
        _log.warning("%s; waiting for it", error)
        await asyncio.sleep(STORE_PAUSE_SECONDS)

    async def _sweep(self) -> ManualCancelEnd | None:
        """Sweep until nothing is left, or until `MAX_FRUITLESS_SWEEPS` in a row have settled nothing."""
        fruitless = 0
        while self.may_go_on() and self.cancel_run.head(1):
            before = self.cancel_run.tally().remaining
            sweep = Sweep(self.account_sid, self.liveness, self.liveness, MAX_CALLS, self._limit)
            self.liveness.begin()
            await self._to_its_end(sweep.run(self._is_of_use))
            is_stuck = self.liveness.is_stuck()
            if is_stuck and self.liveness.error is not None:
                raise self.liveness.error
            if sweep.stopped:
                return ManualCancelEnd.DENIED if sweep.denied else ManualCancelEnd.LOST
            fruitless = fruitless + 1 if self.cancel_run.tally().remaining >= before else 0
            if fruitless >= MAX_FRUITLESS_SWEEPS or is_stuck:
                return ManualCancelEnd.STUCK if self.may_go_on() else ManualCancelEnd.STOPPED
        return None if self.may_go_on() else ManualCancelEnd.STOPPED

    def _is_of_use(self) -> bool:
        return not self.liveness.is_stuck() and self.may_go_on()

    async def _read_list(self) -> Listed | ManualCancelEnd:
        """Read the list, after a pause if the last one showed no new calls."""
        self.liveness.rest()
        if self._rests:
            await self._pause()
        found = await self.find_again() if self.may_go_on() else None
        if found is None:
            return ManualCancelEnd.UNLISTED if self.may_go_on() else ManualCancelEnd.STOPPED
        # "gone" says only that Twilio did not know the call; a list that shows it again is believed, a few times.
        again = (Outcome.GONE,) if self._times_gone < MAX_TIMES_GONE else ()
        added = self.cancel_run.add(found, again=again)
        self._times_gone += bool(added.again)
        return self._shown_by(added)

    def _shown_by(self, added: Added) -> Listed:
        self.lagging, self._rests = added.over, not added.fresh
        if added.fresh:
            self._fresh_at = self.liveness.monotonic()
            return Listed.CALLS
        lags = added.over and self.liveness.monotonic() - self._fresh_at <= LAG_SECONDS
        return Listed.UNCLEAR if lags else Listed.NOTHING

    async def _pause(self) -> None:
        self._rests, until = False, self.liveness.monotonic() + PAUSE_BETWEEN_LISTS_SECONDS
        while self.may_go_on() and self.liveness.monotonic() < until:
            await asyncio.sleep(LOOK_SECONDS)

    async def _to_its_end(self, sweeping: Coroutine[Any, Any, None]) -> None:
        """Wait for the sweep to end; once stopped, wait `GRACE_SECONDS` for requests under way, then drop them."""
        task = asyncio.create_task(sweeping)
        while not task.done() and self._is_of_use():
            await asyncio.wait({task}, timeout=LOOK_SECONDS)
        _, hanging = await asyncio.wait({task}, timeout=GRACE_SECONDS)
        if hanging:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await task
