"""What a sweep does not tell: that Twilio has gone silent, and that the ledger takes nothing any more."""

import time
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from callguard.cancel.needs import CallCanceller, SweepLedger
from callguard.domain.incidents import Outcome
from callguard.domain.replies import CancelReply
from callguard.errors import StoreUnavailable, TwilioRefused, TwilioThrottled

_OF_USE = tuple(reply for reply in CancelReply if reply is not CancelReply.STILL_QUEUED)


@dataclass(slots=True)
class LivenessCanceller:
    """Fulfils `CallCanceller`: knows since when no reply has been of use. All times are of `time.monotonic`.

    Of use is what settles a call, and a refusal, which in the end settles it too. A 429 is not, yet it shows that
    Twilio is there.

    Attributes:
        canceller: the way to Twilio.
        used_at: when a reply was last of use, or the sweep began.
        there_at: when Twilio last showed that it is there.
    """

    canceller: CallCanceller
    used_at: float = field(default_factory=time.monotonic)
    there_at: float = field(default_factory=time.monotonic)

    def begin(self) -> None:
        """Count from now on: nothing was asked until now."""
        self.used_at = self.there_at = time.monotonic()

    async def cancel(self, account_sid: str, call_sid: str) -> CancelReply:
        """Cancel the call."""
        return await self._heard(self.canceller.cancel(account_sid, call_sid))

    async def look_up(self, account_sid: str, call_sid: str) -> CancelReply:
        """Fetch the call."""
        return await self._heard(self.canceller.look_up(account_sid, call_sid))

    async def _heard(self, asking: Coroutine[Any, Any, CancelReply]) -> CancelReply:
        try:
            reply = await asking
        except TwilioThrottled:
            self.there_at = time.monotonic()
            raise
        except TwilioRefused:
            self.begin()
            raise
        if reply in _OF_USE:
            self.begin()
        return reply


@dataclass(slots=True)
class LivenessLedger:
    """Fulfils `SweepLedger`: knows since when nothing could be recorded.

    Attributes:
        ledger: the ledger.
        failing_since: when recording first failed, since it last did not; `time.monotonic`.
        error: why.
    """

    ledger: SweepLedger
    failing_since: float | None = None
    error: StoreUnavailable | None = None

    def head(self, count: int) -> Sequence[str]:
        """Return the oldest `count` calls."""
        with self._noted():
            return self.ledger.head(count)

    def settle(self, outcomes: Sequence[tuple[str, Outcome]]) -> bool:
        """Record what became of calls."""
        with self._noted():
            may_go_on = self.ledger.settle(outcomes)
        self.failing_since = self.error = None
        return may_go_on

    @contextmanager
    def _noted(self) -> Iterator[None]:
        try:
            yield
        except StoreUnavailable as error:
            self.error = error
            self.failing_since = self.failing_since or time.monotonic()
            raise
