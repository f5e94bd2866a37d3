"""A drain whose requests to Twilio and whose pages of its list a test may change on the way."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from callguard.cancel.incident_drain import DrainEnd, IncidentDrain, OpenCanceller
from callguard.cancel.needs import CallCanceller
from callguard.clock import SystemClock
from callguard.domain.calls import ListedPage
from callguard.domain.replies import CancelReply
from callguard.mirror.reconcile import Reconciler
from callguard.telephony.calls import TwilioCalls
from tests.guarded import Guarded


@dataclass
class Interception:
    """The real adapters, with somebody in between."""

    real: TwilioCalls
    open_canceller: OpenCanceller
    on_cancel: Callable[[str, int], CancelReply | None] = lambda _sid, _turn: None
    on_page: Callable[[ListedPage, int], ListedPage] = lambda page, _turn: page
    turns: dict[str, int] = field(default_factory=dict)
    lists: int = 0

    def queued_calls(self, account_sid: str) -> Iterator[ListedPage]:
        self.lists += 1
        for page in self.real.queued_calls(account_sid):
            yield self.on_page(page, self.lists)

    def cancel(self, account_sid: str, call_sid: str) -> CancelReply:
        return self.real.cancel(account_sid, call_sid)

    def look_up(self, account_sid: str, call_sid: str) -> CancelReply:
        return self.real.look_up(account_sid, call_sid)

    @asynccontextmanager
    async def canceller(self) -> AsyncIterator[CallCanceller]:
        async with self.open_canceller() as canceller:
            yield InterceptingCanceller(self, canceller)


@dataclass
class InterceptingCanceller:
    """The canceller, with the same in between."""

    interception: Interception
    real: CallCanceller

    async def cancel(self, account_sid: str, call_sid: str) -> CancelReply:
        turns = self.interception.turns
        turns[call_sid] = turns.get(call_sid, 0) + 1
        reply = self.interception.on_cancel(call_sid, turns[call_sid])
        return reply or await self.real.cancel(account_sid, call_sid)

    async def look_up(self, account_sid: str, call_sid: str) -> CancelReply:
        return await self.real.look_up(account_sid, call_sid)


def intercepted(g: Guarded, **interception: Any) -> tuple[IncidentDrain, Interception]:
    telephony = Interception(g.telephony, g.drain.canceller, **interception)
    reconciler = Reconciler(telephony, g.store.tracker, g.guard, SystemClock(), g.store.poll_lease, "other")
    drain = IncidentDrain(
        telephony.canceller,
        g.store.tracker,
        g.store.incidents,
        reconciler,
        g.wakes,
        SystemClock(),
        g.notices,
        g.outages,
    )
    return drain, telephony


def run_to_the_end(drain: IncidentDrain, g: Guarded, runs: int = 6) -> DrainEnd:
    for _ in range(runs):
        end = drain.run(g.account, 1, "me")
        if end is not DrainEnd.YIELDED:
            return end
    return end
