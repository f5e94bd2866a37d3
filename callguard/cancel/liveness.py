"""What a sweep does not tell: that Twilio has gone silent, and that the ledger takes nothing any more."""

import time
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from callguard.cancel.needs import CallCanceller, SweepLedger
from callguard.domain.replies import CancelReply
from callguard.domain.tally import Outcome
from callguard.errors import StoreUnavailable, TwilioRefused, TwilioThrottled

MAX_SILENT_SECONDS = 90.0
"""So long Twilio may leave calls without any reply before a sweep of them ends as stuck. A 429 is a reply."""

MAX_UNRECORDED_SECONDS = 10.0
"""So long a sweep waits for a record that takes nothing; nothing is sent meanwhile."""

THROTTLED_SECONDS = 10.0
"""For so long after a 429 it is that which keeps the sweep back, and no silence."""


@dataclass(slots=True)
class Liveness:
    """Fulfils `CallCanceller` and `SweepLedger`: hands on to both, and knows whether that gets anywhere.

    Of use is a reply that settles a call, and a refusal, which in the end settles it too. A 429 is not, yet it
    shows that Twilio is there.

    Attributes:
        canceller: the way to Twilio.
        ledger: where the calls are.
        most_silent_seconds: see `MAX_SILENT_SECONDS`.
        monotonic: gives seconds.
        error: why nothing can be recorded; None while it can.
    """

    canceller: CallCanceller
    ledger: SweepLedger
    most_silent_seconds: float = MAX_SILENT_SECONDS
    monotonic: Callable[[], float] = time.monotonic
    error: StoreUnavailable | None = None
    _failing_since: float = 0.0
    _used_at: float = 0.0
    _there_at: float = 0.0
    _is_asking: bool = False

    def begin(self) -> None:
        """A sweep begins: whatever was silent before is no sign of anything, but what is silent from now on is."""
        if not self._is_asking:
            self._hear()
        self.error, self._is_asking = None, True

    def rest(self) -> None:
        """Nothing is asked until the next sweep begins."""
        self._is_asking = False

    def is_stuck(self) -> bool:
        """Return whether to give up."""
        if self.error is not None:
            self._hear()  # nothing is sent meanwhile, so there is nothing to hear
            return self.is_unrecorded
        is_there = self.monotonic() - self._there_at < self.most_silent_seconds
        return self.silent_seconds >= self.most_silent_seconds and not is_there

    @property
    def is_unrecorded(self) -> bool:
        """Whether nothing could be recorded for too long."""
        return self.error is not None and self.monotonic() - self._failing_since >= MAX_UNRECORDED_SECONDS

    @property
    def silent_seconds(self) -> float:
        """For how long no reply of Twilio's has been of use, while calls are left and can be recorded."""
        return self.monotonic() - self._used_at if self._is_asking and self.error is None else 0.0

    @property
    def is_throttled(self) -> bool:
        """Whether Twilio has lately answered requests, if only that they are too many."""
        return self._there_at > self._used_at and self.monotonic() - self._there_at < THROTTLED_SECONDS

    async def cancel(self, account_sid: str, call_sid: str) -> CancelReply:
        """Cancel the call."""
        return await self._heard(self.canceller.cancel(account_sid, call_sid))

    async def look_up(self, account_sid: str, call_sid: str) -> CancelReply:
        """Fetch the call."""
        return await self._heard(self.canceller.look_up(account_sid, call_sid))

    def head(self, count: int) -> Sequence[str]:
        """Return the oldest `count` calls."""
        with self._noted():
            return self.ledger.head(count)

    def settle(self, outcomes: Sequence[tuple[str, Outcome]]) -> bool:
        """Record what became of calls."""
        with self._noted():
            may_go_on = self.ledger.settle(outcomes)
        self.error = None
        return may_go_on

    async def _heard(self, asking: Coroutine[Any, Any, CancelReply]) -> CancelReply:
        try:
            reply = await asking
        except TwilioThrottled:
            self._there_at = self.monotonic()
            raise
        except TwilioRefused:
            self._hear()
            raise
        if reply is not CancelReply.STILL_QUEUED:
            self._hear()
        return reply

    def _hear(self) -> None:
        self._used_at = self._there_at = self.monotonic()

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except StoreUnavailable as error:
            if self.error is None:
                self._failing_since = self.monotonic()
            self.error = error
            raise
