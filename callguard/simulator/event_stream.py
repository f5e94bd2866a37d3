"""Streams an account's events to its sink: batched, signed, repeated, with the faults asked for.

Event Streams delivers at least once and in no promised order
(https://www.twilio.com/docs/events/event-delivery-and-duplication). Here repeats and disorder are the faults of
the callbacks: their rates of drops, duplicates and disorder hold for events too.
"""

import asyncio
import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from heapq import heappop, heappush
from itertools import count
from typing import Any
from urllib.parse import urlsplit, urlunsplit
from uuid import uuid4

import aiohttp

from callguard.simulator.calls import Call, Progress
from callguard.simulator.cloud_event import created_event, progress_event
from callguard.simulator.config import CREATED, STATUS_CALLBACK, AccountConfig, EventSink
from callguard.simulator.connection_overrides import ConnectionOverrides
from callguard.simulator.delivery import CallbackRequest, Delivery, send
from callguard.simulator.faults import Dice
from callguard.simulator.signature import signature_headers

# A sink must answer within five seconds (https://www.twilio.com/docs/events/webhook-quickstart).
_ONE_ATTEMPT = ConnectionOverrides(retries=0, connect_seconds=5.0, read_seconds=5.0, total_seconds=5.0)

Render = Callable[[], dict[str, Any]]


@dataclass(slots=True)
class EventCounts:
    """How many events, copies included, were answered 2xx, failed for good, were lost, and are under way."""

    sent: int = 0
    failed: int = 0
    dropped: int = 0
    pending: int = 0


class EventStream:
    """One account's events. Must be used on the simulator's event loop only."""

    def __init__(self, config: AccountConfig, sink: EventSink, dice: Dice, delivery: Delivery) -> None:
        self.counts = EventCounts()
        self._config, self._sink, self._dice, self._delivery = config, sink, dice, delivery
        # A heap by the time at which an event is ready; it holds calls, not JSON, which is written when it goes.
        self._waiting: list[tuple[float, int, Render]] = []
        self._numbers = count()
        self._timer: asyncio.TimerHandle | None = None
        self._is_sending = False
        self._is_stopped = False

    def created(self, call: Call) -> None:
        """Tell the sink of a call that was created. Returns at once."""
        if CREATED in self._sink.types:
            self._offer(partial(created_event, _new_id(), call, self._config.sid))

    def progressed(self, progress: Progress) -> None:
        """Tell the sink that a call has come further. Returns at once."""
        if STATUS_CALLBACK + progress.event in self._sink.types:
            self._offer(partial(progress_event, _new_id(), progress, self._config.sid))

    def stop(self) -> None:
        """Start no further request; what waits is lost."""
        self._is_stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _offer(self, render: Render) -> None:
        copies = self._dice.callback_copies()
        self.counts.dropped += copies == 0
        for _ in range(copies):
            if self.counts.pending >= self._sink.most_waiting:
                self.counts.dropped += 1
                continue
            ready_at = _now() + self._sink.latency + self._dice.callback_delay()
            heappush(self._waiting, (ready_at, next(self._numbers), render))
            self.counts.pending += 1
        self._arm()

    def _arm(self) -> None:
        """Make sure that ready events go soon: a new event may be ready before those that wait."""
        if self._timer is None and self._waiting and not self._is_sending and not self._is_stopped:
            nap = min(max(self._waiting[0][0] - _now(), 0.0), self._sink.latency) + self._sink.batch_seconds
            self._timer = asyncio.get_running_loop().call_later(nap, self._post_batch)

    def _post_batch(self) -> None:
        self._timer, now = None, _now()
        batch: list[Render] = []
        while self._waiting and self._waiting[0][0] <= now and len(batch) < self._sink.batch_size:
            batch.append(heappop(self._waiting)[2])
        if batch:
            self._is_sending = True
            self._delivery.post(f"events of {self._config.sid}", partial(self._deliver, batch))
        self._arm()

    async def _deliver(self, batch: list[Render], session: aiohttp.ClientSession) -> None:
        request = self._request(json.dumps([render() for render in batch]).encode())
        is_delivered = await self._insist(session, request)
        self.counts.pending -= len(batch)
        if is_delivered:
            self.counts.sent += len(batch)
        else:
            self.counts.failed += len(batch)
        self._is_sending = False
        if self._waiting and self._waiting[0][0] <= _now():
            self._post_batch()
        else:
            self._arm()

    async def _insist(self, session: aiohttp.ClientSession, request: CallbackRequest) -> bool:
        pause = self._sink.retry_seconds
        for attempt in range(self._sink.attempts):
            if attempt:
                await asyncio.sleep(pause)
                pause *= 2
            if await send(session, request):
                return True
        return False

    def _request(self, body: bytes) -> CallbackRequest:
        parts = urlsplit(self._sink.url)
        body_hash = f"bodySHA256={hashlib.sha256(body).hexdigest()}"
        query = f"{parts.query}&{body_hash}" if parts.query else body_hash
        url = urlunsplit((parts.scheme, parts.netloc, parts.path or "/", query, ""))
        headers = {"Content-Type": "application/json; charset=utf-8", "User-Agent": "TwilioProxy/1.1"}
        headers |= signature_headers(self._config.auth_token, self._config.shared_key, url, {})
        return CallbackRequest("POST", url, headers, body, _ONE_ATTEMPT)


def _new_id() -> str:
    return f"VW{uuid4().hex}"


def _now() -> float:
    return asyncio.get_running_loop().time()
