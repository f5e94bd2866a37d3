"""Sending callbacks: a bounded pool of senders, each call's callbacks one after the other.

Twilio promises no order. Here disorder is a fault on request, so without it a call's events arrive in order.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

import aiohttp
from yarl import URL

from callguard.simulator.connection_overrides import ConnectionOverrides, Failure

Errand = Callable[[aiohttp.ClientSession], Awaitable[None]]

# Receivers close idle connections, gunicorn after two seconds; ours end before that.
_IDLE_SECONDS = 1.0


@dataclass(frozen=True, slots=True)
class CallbackRequest:
    """One signed request, ready to go: `body` is None for a GET, whose URL holds the fields."""

    method: str
    url: str
    headers: Mapping[str, str]
    body: bytes | None
    overrides: ConnectionOverrides


async def send(session: aiohttp.ClientSession, request: CallbackRequest) -> bool:
    """Send it, again where its overrides say so. Whether the receiver answered 2xx or 3xx in the end."""
    overrides = request.overrides
    try:
        async with asyncio.timeout(overrides.total_seconds):
            for _ in range(1 + overrides.retries):
                failure = await _attempt(session, request)
                if failure not in overrides.retry_after:
                    return failure is None
    except TimeoutError:
        pass
    return False


async def _attempt(session: aiohttp.ClientSession, request: CallbackRequest) -> Failure | None:
    overrides = request.overrides
    timeout = aiohttp.ClientTimeout(
        total=None, sock_connect=overrides.connect_seconds, sock_read=overrides.read_seconds
    )
    # The URL must go out exactly as it was signed, so nobody may quote it anew.
    url = URL(request.url, encoded=True)
    try:
        async with session.request(
            request.method,
            url,
            data=request.body,
            headers=request.headers,
            timeout=timeout,
            allow_redirects=False,
        ) as reply:
            await reply.read()
    except (aiohttp.ConnectionTimeoutError, aiohttp.ClientConnectorError):
        return Failure.CONNECT
    except TimeoutError:
        return Failure.READ_TIMEOUT
    except aiohttp.ClientError:
        return Failure.CONNECT  # the connection broke under us: a failure of TCP
    if reply.status >= 500:
        return Failure.SERVER_ERROR
    return Failure.CLIENT_ERROR if reply.status >= 400 else None


class Delivery:
    """The senders. Errands in one lane run one after the other; lanes run side by side."""

    def __init__(self, concurrency: int) -> None:
        self._concurrency = concurrency
        self._lanes: dict[str, deque[Errand]] = {}
        self._ready: asyncio.Queue[str] = asyncio.Queue()
        self._senders: list[asyncio.Task[None]] = []

    def post(self, lane: str, errand: Errand) -> None:
        """Have the errand run behind the others of its lane, as soon as a sender is free."""
        waiting = self._lanes.get(lane)
        if waiting is None:
            self._lanes[lane] = deque([errand])
            self._ready.put_nowait(lane)
        else:
            waiting.append(errand)

    async def start(self) -> None:
        """Start the senders, which live until `stop`."""
        connector = aiohttp.TCPConnector(limit=self._concurrency, keepalive_timeout=_IDLE_SECONDS)
        self._session = aiohttp.ClientSession(
            connector=connector, cookie_jar=aiohttp.DummyCookieJar(), skip_auto_headers=("Accept-Encoding",)
        )
        self._senders = [asyncio.create_task(self._run()) for _ in range(self._concurrency)]

    async def stop(self) -> None:
        """Stop at once; what has not been sent is lost."""
        for sender in self._senders:
            sender.cancel()
        await asyncio.gather(*self._senders, return_exceptions=True)
        await self._session.close()

    async def _run(self) -> None:
        while True:
            lane = await self._ready.get()
            waiting = self._lanes[lane]
            while waiting:
                await waiting.popleft()(self._session)
            del self._lanes[lane]
