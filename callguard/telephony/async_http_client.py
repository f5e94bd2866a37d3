"""The twilio library's HTTP client for many requests at the same time.

A request on one event loop costs half as much as in threads. The library's own asynchronous client waits for ever
(twilio 9.13 ignores its timeout, https://github.com/twilio/twilio-python/issues/925); this one waits `timeout`
seconds at most, never repeats a request by itself, and tells a throttled request from a lost one.
"""

import logging
from urllib.parse import urlencode

import aiohttp
from twilio.http import AsyncHttpClient
from twilio.http.response import Response

from callguard.errors import TwilioUnavailable
from callguard.telephony.clients import checked, headers_of
from callguard.telephony.timed_connections import MAX_ANSWER_BYTES
from callguard.telephony.ways_out import WaysOut, shown, trusted

_log = logging.getLogger(__name__)


class PooledAsyncHttpClient(AsyncHttpClient):  # type: ignore[misc]  # the library types it as Any
    """Sends the twilio library's requests over a pool of connections that is as large as it needs to be.

    An async context manager; it belongs to the event loop on which it was entered.
    """

    def __init__(self, *, timeout: float = 5.0) -> None:
        """Open nothing yet. `timeout` (seconds) bounds the connect and each wait, twice that the whole request."""
        super().__init__(_log, True, timeout)
        self._timeout = aiohttp.ClientTimeout(total=2 * timeout, sock_connect=timeout, sock_read=timeout)
        self._session: aiohttp.ClientSession | None = None
        self._ways_out = WaysOut()

    async def __aenter__(self) -> "PooledAsyncHttpClient":
        """Open the pool."""
        # Twilio's answers set no cookie that we want; a jar would look for one in each of them.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=0, ssl=trusted()),
            timeout=self._timeout,
            cookie_jar=aiohttp.DummyCookieJar(),
        )
        return self

    async def __aexit__(self, *_error: object) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,  # noqa: ARG002  (the library never gives one)
        allow_redirects: bool = False,
    ) -> Response:
        """Send one request and return its answer, unless it says that the request was not served.

        Raises:
            TwilioThrottled: 429; the request was never processed.
            TwilioUnavailable: no whole answer in time, or 5xx, or more than `MAX_ANSWER_BYTES`.
        """
        if self._session is None:
            raise RuntimeError("the HTTP client has not been entered")
        url = f"{uri}?{urlencode(params, doseq=True)}" if params else uri
        body = urlencode(data, doseq=True).encode() if data else None
        try:
            async with self._session.request(
                method,
                url,
                data=body,
                headers=headers_of(headers, auth),
                allow_redirects=allow_redirects,
                proxy=self._ways_out.proxy_of(url),
            ) as answer:
                text = (await _body_of(answer)).decode("utf-8", "replace")
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            # The error's text holds the URL: its kind is enough.
            raise TwilioUnavailable(f"Twilio did not answer: {type(error).__name__} ({shown(uri)})") from None
        checked(answer.status, answer.headers)
        return Response(answer.status, text, answer.headers)


async def _body_of(answer: aiohttp.ClientResponse, most_bytes: int = MAX_ANSWER_BYTES) -> bytes:
    read = bytearray()
    async for piece in answer.content.iter_any():
        read += piece
        if len(read) > most_bytes:
            answer.close()
            raise TwilioUnavailable(f"Twilio's answer is larger than {most_bytes:,} bytes")
    return bytes(read)
