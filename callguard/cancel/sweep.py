"""A sweep: many attempts at once, as many as Twilio will bear."""

import asyncio
import logging
import math
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass

from callguard.cancel.attempt import Ending, Result, attempt
from callguard.cancel.backlog import Backlog
from callguard.cancel.needs import CallCanceller, SweepLedger
from callguard.cancel.pauses import MAX_ASKED_SECONDS, Pauses
from callguard.domain.concurrency import ConcurrencyLimit
from callguard.domain.tally import Outcome
from callguard.errors import StoreUnavailable

_log = logging.getLogger(__name__)

IDLE_SECONDS = 0.05
LEDGER_PAUSE_SECONDS = 0.2

# One request is sent at a time until one is answered, so that wrong credentials cause no storm of requests.
INITIAL_DENIALS = 2
DENIALS = 20

MAX_UNKNOWN = 20
"""If Twilio knows none of so many first calls, the mirror does not show the queue of this account."""


@dataclass(frozen=True, slots=True)
class _Sent:
    """A request's number, when it was sent, and how many were under way with it."""

    number: int
    at: float
    under_way: int


class Sweep:
    """Cancels a ledger's calls, oldest first, until there are none, `may_go_on` says no, or `cap` are cancelled.

    Attributes:
        backlog: the calls still to cancel.
        limit: how many requests are sent at once.
        cancelled: calls cancelled so far.
        stopped: the ledger said that cancelling may not go on, or Twilio does not accept our credentials.
        denied: the latter.
        has_served: Twilio has carried out a request of this sweep, so it accepts our credentials.
    """

    def __init__(
        self,
        account_sid: str,
        canceller: CallCanceller,
        ledger: SweepLedger,
        cap: int,
        limit: ConcurrencyLimit | None = None,
        most_unknown: float = math.inf,
    ) -> None:
        """Nothing is sent yet. A run ends early where Twilio knows none of the first `most_unknown` calls."""
        self.backlog = Backlog(ledger.head)
        self.limit = limit or ConcurrencyLimit()
        self.cancelled = 0
        self.stopped = False
        self.denied = False
        self.has_served = False
        self._most_unknown = most_unknown
        self._settled_as: Counter[Outcome] = Counter()
        self._account_sid = account_sid
        self._canceller = canceller
        self._ledger = ledger
        self._cap = cap
        self._pauses = Pauses()
        self._answered = False
        self._denials = 0
        self._sent: dict[str, _Sent] = {}
        self._results: list[Result] = []
        self._unrecorded: list[tuple[str, Outcome]] = []
        self._news = asyncio.Event()
        self._tasks: set[asyncio.Task[None]] = set()

    async def run(self, may_go_on: Callable[[], bool]) -> None:
        """Sweep. On return no attempt is under way, and all outcomes are recorded if Redis answers."""
        self._settled_as.clear()
        self.backlog.read_anew()
        while may_go_on():
            try:
                if not self._turn():
                    break
            except StoreUnavailable as error:
                # It is not known whether cancelling may go on, so nothing is sent.
                _log.warning("account %s: %s; the sweep waits", self._account_sid, error)
                await asyncio.sleep(LEDGER_PAUSE_SECONDS)
            await self._wait()
        while self._sent:
            await self._wait()
            self._take_in()
            self._record_last()  # at each result: a request may hang until this process is killed
        self._record_last()

    @property
    def is_capped(self) -> bool:
        """True once `cap` calls are cancelled."""
        return self.cancelled >= self._cap

    @property
    def is_unknown(self) -> bool:
        """True if the last run has ended because Twilio knew none of its first calls."""
        return self._settled_as.total() == self._settled_as[Outcome.GONE] >= self._most_unknown

    def _turn(self) -> bool:
        """Record the results, ask whether to go on, and send what may be sent; False when all is done."""
        self._take_in()
        if not self._record():
            self.stopped = True
        if self.stopped or self.is_unknown:
            return False
        self._send()
        return bool(self._sent) or self.backlog.has_waiting or self._pauses.is_on(_now())

    def _record(self) -> bool:
        may_go_on = self._ledger.settle(self._unrecorded)
        self._unrecorded.clear()
        return may_go_on

    def _record_last(self) -> None:
        try:
            if self._unrecorded:
                self._record()
        except StoreUnavailable as error:
            # They are still in the mirror: the next sweep is told by Twilio what has become of them.
            _log.warning("account %s: the last answers could not be recorded: %s", self._account_sid, error)

    def _send(self) -> None:
        now = _now()
        # The first request goes alone: if Twilio refuses our credentials, one is enough to know.
        allowed = self.limit.allowed if self._answered else 1
        while len(self._sent) < allowed and not self._pauses.is_on(now):
            # A call of unknown fate may have been cancelled: it counts towards the cap until its fate is known.
            room = self.cancelled + self.backlog.unsettled < self._cap
            call_sid = self.backlog.next(now, fresh=room)
            if call_sid is None:
                return
            self._sent[call_sid] = _Sent(self.limit.sent(), now, len(self._sent) + 1)
            task = asyncio.create_task(self._attempt(call_sid))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _attempt(self, call_sid: str) -> None:
        unsure = self.backlog.is_unsure(call_sid)
        result = await attempt(self._canceller, self._account_sid, call_sid, unsure=unsure)
        self._results.append(result)
        self._news.set()

    async def _wait(self) -> None:
        """Wait for results, or until a pause may be over."""
        try:
            async with asyncio.timeout(IDLE_SECONDS):
                await self._news.wait()
        except TimeoutError:
            pass
        self._news.clear()

    def _take_in(self) -> None:
        now = _now()
        results, self._results = self._results, []
        under_way = len(self._sent)
        for result in results:
            self._take(result, under_way, now)

    def _take(self, result: Result, under_way: int, now: float) -> None:
        sent = self._sent.pop(result.call_sid)
        match result.ending:
            case Ending.SETTLED:
                self._settled(result)
                self._served(sent, under_way, now)
            case Ending.QUEUED:  # Twilio has accepted the request and not carried it out yet
                self.backlog.retry_later(result.call_sid, now)
                self._served(sent, under_way, now)
            case Ending.THROTTLED:
                self._throttled(result, sent, now)
            case Ending.LOOKED:
                self.backlog.looked_at(result.call_sid)
                self._served(sent, under_way, now)
            case Ending.DENIED:
                self._denied(result.call_sid, now)
            case Ending.REFUSED:
                if not self.backlog.retry_later(result.call_sid, now):
                    self._give_up(result.call_sid)
            case Ending.UNKNOWN:
                self._answered = True  # a request without an answer was not denied
                self.backlog.retry_later(result.call_sid, now)
                if self._pauses.failed(now, under_way):
                    self.limit.lost()

    def _served(self, sent: _Sent, under_way: int, now: float) -> None:
        self._answered = self.has_served = True
        self._denials = 0
        self._pauses.answered()
        self.limit.served(sent.number, under_way, now)

    def _throttled(self, result: Result, sent: _Sent, now: float) -> None:
        """Put the call back, as Twilio did not process the request: it goes again as soon as it may."""
        asked = min(MAX_ASKED_SECONDS, result.retry_after or 0.0)
        self.backlog.put_back(result.call_sid, now + asked if asked else 0.0)
        self.limit.refused(sent.number, sent.under_way, now, asked, result.concurrent)
        if not self._sent:
            self._pauses.throttled(sent.at, now, asked)

    def _denied(self, call_sid: str, now: float) -> None:
        """Count a denial: one call may be denied for its own reason; several in a row mean the credentials."""
        self._denials += 1
        if self._denials >= (DENIALS if self._answered else INITIAL_DENIALS):
            self.backlog.put_back(call_sid)
            self.stopped = self.denied = True
        elif not self.backlog.retry_later(call_sid, now):
            self._give_up(call_sid)

    def _settled(self, result: Result) -> None:
        assert result.outcome is not None  # noqa: S101 -- for the type checker
        self.backlog.settled(result.call_sid)
        if result.outcome is Outcome.GONE:
            self.backlog.let_rest(result.call_sid, _now())
        self._settled_as[result.outcome] += 1
        self.cancelled += result.outcome is Outcome.CANCELLED
        self._unrecorded.append((result.call_sid, result.outcome))

    def _give_up(self, call_sid: str) -> None:
        _log.error("call …%s cannot be cancelled: Twilio refuses each request for it", call_sid[-4:])
        self.backlog.parked.discard(call_sid)
        self.backlog.settled(call_sid)
        self._unrecorded.append((call_sid, Outcome.FAILED))


def _now() -> float:
    return asyncio.get_running_loop().time()
