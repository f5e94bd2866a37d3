"""Cancelling what is queued at a person's word: sweep, list again, until the list shows nothing that is meant."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

from callguard.cancel.liveness import LivenessCanceller, LivenessLedger
from callguard.cancel.needs import CallCanceller, CancelRun
from callguard.cancel.sweep import Sweep
from callguard.domain.cancel_run import Added, FoundCall
from callguard.domain.concurrency import ConcurrencyLimit
from callguard.domain.incidents import Outcome
from callguard.errors import StoreUnavailable

_log = logging.getLogger(__name__)

EMPTY_LISTS_WANTED = 2
PAUSE_BETWEEN_LISTS_SECONDS = 2.0

LAG_SECONDS = 30.0
"""For so long a list may go on showing calls that are over before its silence on all others is believed."""

MAX_FRUITLESS_SWEEPS = 3
MAX_TIMES_GONE = 3
MAX_STORE_FAILURES = 40
STORE_PAUSE_SECONDS = 0.5

MAX_SILENT_SECONDS = 90.0
"""So long Twilio may leave calls without any reply before a sweep of them ends as stuck. A 429 is a reply."""

MAX_UNRECORDED_SECONDS = 10.0
"""So long a sweep waits for a record that takes nothing; nothing is sent meanwhile."""

THROTTLED_SECONDS = 10.0
"""For so long after a 429 it is that which keeps the sweep back, and no silence."""

LOOK_SECONDS = 0.05
GRACE_SECONDS = 5.0
MAX_CALLS = 10_000_000
"""More than Twilio's queue can hold."""


class ManualCancelEnd(Enum):
    """Why a clearance came to its end.

    `cleared`: Twilio's list has shown nothing that is meant, twice. `stopped`: a person wanted it. `denied`:
    Twilio refuses our credentials. `stuck`: calls are left of which no reply can be had. `unlisted`: nothing is
    left, but Twilio's list could not be read again. `lost`: the record of the clearing is gone.
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
    """Cancels the calls of a clearing, oldest first, and those that come meanwhile.

    Attributes:
        account_sid: whose calls they are.
        clearing: the calls, and what has become of them.
        canceller: the way to Twilio.
        find_again: reads Twilio's list; None where it cannot be read, or the person has stopped us.
        may_go_on: False once the person has stopped us; asked many times a second.
        lagging: calls that are over and still listed, as the latest list has it.
        most_silent_seconds: see `MAX_SILENT_SECONDS`.
    """

    account_sid: str
    cancel_run: CancelRun
    canceller: CallCanceller
    find_again: FindAgain
    may_go_on: Callable[[], bool]
    lagging: int = 0
    most_silent_seconds: float = MAX_SILENT_SECONDS
    _heard: LivenessCanceller = field(init=False)
    _noted: LivenessLedger = field(init=False)
    _is_sweeping: bool = False
    _limit: ConcurrencyLimit = field(default_factory=ConcurrencyLimit)
    _empty_lists: int = 0
    _times_gone: int = 0
    _fresh_at: float = 0.0

    def __post_init__(self) -> None:
        """Listen to what a sweep hears of Twilio and of the ledger."""
        self._heard, self._noted = LivenessCanceller(self.canceller), LivenessLedger(self.cancel_run)

    @property
    def silent_seconds(self) -> float:
        """For how long no reply of Twilio's has been of use, while calls are left and can be recorded."""
        is_asked = self._is_sweeping and self._noted.failing_since is None
        return time.monotonic() - self._heard.used_at if is_asked else 0.0

    @property
    def is_throttled(self) -> bool:
        """Whether Twilio has lately answered requests, if only that they are too many."""
        there_at = self._heard.there_at
        return there_at > self._heard.used_at and time.monotonic() - there_at < THROTTLED_SECONDS

    async def run(self) -> ManualCancelEnd:
        """Clear; when it returns no request is under way, or has been waited for `GRACE_SECONDS` in vain.

        Raises:
            StoreUnavailable: the clearing could not be read or written, for `MAX_STORE_FAILURES` tries, or not
                written for `MAX_UNRECORDED_SECONDS`.
        """
        failures = 0
        self._fresh_at = asyncio.get_running_loop().time()
        while True:
            try:
                end = await self._sweep() or await self._list()
                failures = 0
            except StoreUnavailable as error:
                failures += 1
                if failures >= MAX_STORE_FAILURES or self._is_unrecorded or not self.may_go_on():
                    raise
                _log.warning("%s; waiting for it", error)
                await asyncio.sleep(STORE_PAUSE_SECONDS)
                continue
            if end is not None:
                return end

    async def _sweep(self) -> ManualCancelEnd | None:
        """Sweep until nothing is left. Calls that were given up are tried anew, but not for ever."""
        fruitless = 0
        while self.may_go_on() and self.cancel_run.head(1):
            before = self.cancel_run.account().remaining
            sweep = Sweep(self.account_sid, self._heard, self._noted, MAX_CALLS, self._limit)
            await self._listening(sweep)
            if self._noted.error is not None and self._is_unrecorded:
                raise self._noted.error
            if sweep.stopped:
                return ManualCancelEnd.DENIED if sweep.denied else ManualCancelEnd.LOST
            fruitless = fruitless + 1 if self.cancel_run.account().remaining >= before else 0
            if fruitless >= MAX_FRUITLESS_SWEEPS or self._is_silent:
                return ManualCancelEnd.STUCK if self.may_go_on() else ManualCancelEnd.STOPPED
        return None if self.may_go_on() else ManualCancelEnd.STOPPED

    async def _listening(self, sweep: Sweep) -> None:
        """Sweep; whatever was silent before is no sign of anything, but what is silent from now on is."""
        if not self._is_sweeping:
            self._heard.begin()
        self._noted.failing_since, self._is_sweeping = None, True
        await self._to_its_end(sweep.run(self._is_of_use))

    def _is_of_use(self) -> bool:
        if self._noted.failing_since is not None:
            self._heard.begin()  # nothing is sent meanwhile
        return self.may_go_on() and not self._is_silent and not self._is_unrecorded

    @property
    def _is_silent(self) -> bool:
        is_there = time.monotonic() - self._heard.there_at < self.most_silent_seconds
        return self.silent_seconds >= self.most_silent_seconds and not is_there

    @property
    def _is_unrecorded(self) -> bool:
        since = self._noted.failing_since
        return since is not None and time.monotonic() - since >= MAX_UNRECORDED_SECONDS

    async def _list(self) -> ManualCancelEnd | None:
        """Read the list; the end if it has been empty twice, None if there is more to do."""
        self._is_sweeping = False
        found = await self.find_again()
        if found is None:
            return ManualCancelEnd.UNLISTED if self.may_go_on() else ManualCancelEnd.STOPPED
        # "gone" says only that Twilio did not know the call; a list that shows it again is believed, a few times.
        again = (Outcome.GONE,) if self._times_gone < MAX_TIMES_GONE else ()
        added = self.cancel_run.add(found, again=again)
        self._times_gone += bool(added.again)
        if self._shows_nothing(added):
            self._empty_lists += 1
        if self._empty_lists >= EMPTY_LISTS_WANTED:
            return ManualCancelEnd.CLEARED
        if not added.fresh:
            await self._pause()
        return None

    def _shows_nothing(self, added: Added) -> bool:
        now = asyncio.get_running_loop().time()
        self.lagging = added.over
        if added.fresh:
            self._fresh_at, self._empty_lists = now, 0
        return not added.fresh and (not added.over or now - self._fresh_at > LAG_SECONDS)

    async def _pause(self) -> None:
        until = asyncio.get_running_loop().time() + PAUSE_BETWEEN_LISTS_SECONDS
        while self.may_go_on() and asyncio.get_running_loop().time() < until:
            await asyncio.sleep(LOOK_SECONDS)

    async def _to_its_end(self, sweeping: Coroutine[Any, Any, None]) -> None:
        """Wait for the sweep; once stopped, for the requests under way too, but not for those that hang."""
        task = asyncio.create_task(sweeping)
        while not task.done() and self._is_of_use():
            await asyncio.wait({task}, timeout=LOOK_SECONDS)
        _, hanging = await asyncio.wait({task}, timeout=GRACE_SECONDS)
        if hanging:
            task.cancel()
        with suppress(asyncio.CancelledError):
            await task
