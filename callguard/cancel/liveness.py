"""Watches whether a sweep gets anywhere: whether Twilio replies, and whether outcomes can be recorded."""

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
"""Seconds without any reply of Twilio's after which a sweep with calls left is stuck. A 429 is a reply."""

MAX_UNRECORDED_SECONDS = 10.0
"""Seconds that a sweep waits for a record that cannot be written; nothing is sent meanwhile."""

THROTTLED_SECONDS = 10.0
"""For so many seconds after a 429 the sweep counts as throttled, not as unanswered."""


@dataclass(slots=True)
class Liveness:
    """Fulfils `CallCanceller` and `SweepLedger`: passes calls on to both, and notes which get a useful answer.

    A reply that settles a call is useful, and so is a refusal, which settles it in the end. A 429 is not, but it
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
        """Begin a sweep: silence counts from now on, and what was before does not."""
        if not self._is_asking:
            self._hear()
        self.error, self._is_asking = None, True

    def rest(self) -> None:
        """Stop counting silence until the next sweep begins."""
        self._is_asking = False

    def is_stuck(self) -> bool:
        """Return whether to give up: Twilio has been silent, or nothing could be recorded, for too long."""
        if self.error is not None:
            self._hear()  # nothing is sent meanwhile, so Twilio's silence does not count
            return self.is_unrecorded
        is_there = self.monotonic() - self._there_at < self.most_silent_seconds
        return self.silent_seconds >= self.most_silent_seconds and not is_there

    @property
    def is_unrecorded(self) -> bool:
        """Whether nothing could be recorded for too long."""
        return self.error is not None and self.monotonic() - self._failing_since >= MAX_UNRECORDED_SECONDS

    @property
    def silent_seconds(self) -> float:
        """Seconds since Twilio's last useful reply, while calls are left and outcomes can be recorded; else 0."""
        return self.monotonic() - self._used_at if self._is_asking and self.error is None else 0.0

    @property
    def is_throttled(self) -> bool:
        """Whether Twilio has lately answered, but with 429 only."""
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
