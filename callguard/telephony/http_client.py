"""The HTTP client under the twilio library.

The library's own client keeps six connections on two cores, waits for ever and loses the headers of errors (twilio
9.13). This one has a pool as large as the concurrency it serves, waits `timeout` seconds at most for an answer,
and bounds its size. It never repeats a request by itself, and tells a throttled request from a lost one.
"""

import logging
from typing import Any
from urllib.parse import urlencode

import urllib3
from twilio.http import HttpClient
from twilio.http.response import Response
from urllib3.exceptions import HTTPError

from callguard.errors import TwilioUnavailable
from callguard.telephony.clients import checked, headers_of
from callguard.telephony.timed_connections import body_of, end_answers_in_time
from callguard.telephony.ways_out import WaysOut, pool_by, shown, trusted

_log = logging.getLogger(__name__)


class PooledHttpClient(HttpClient):
    """Sends the twilio library's requests over a pool of `connections`."""

    def __init__(self, *, connections: int = 100, timeout: float = 5.0, list_timeout: float = 20.0) -> None:
        """Open nothing yet.

        `timeout` (seconds) bounds the connect, and then the whole answer; `list_timeout` that of a list: a page of
        a thousand calls takes Twilio seconds.
        """
        super().__init__(_log, False, timeout)
        self._timeout = urllib3.Timeout(connect=timeout, read=timeout)
        self._list_timeout = urllib3.Timeout(connect=timeout, read=max(timeout, list_timeout))
        self._pool = urllib3.PoolManager(
            num_pools=4, maxsize=connections, block=False, retries=False, ssl_context=trusted()
        )
        end_answers_in_time(self._pool)
        self._connections = connections
        self._ways_out = WaysOut()
        self._by_proxy: dict[str, urllib3.ProxyManager] = {}

    def request(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Send one request and return its answer, unless it says that the request was not served.

        Raises:
            TwilioThrottled: 429; the request was never processed
                (https://www.twilio.com/docs/api/errors/20429).
            TwilioUnavailable: no whole answer in time, or 5xx, or more than `MAX_ANSWER_BYTES`.
        """
        answer, body = self._send(method, uri, params, data, headers_of(headers, auth), timeout, allow_redirects)
        checked(answer.status, answer.headers)
        return Response(answer.status, body.decode("utf-8", "replace"), answer.headers)

    def _timeout_of(self, uri: str) -> urllib3.Timeout:
        return self._list_timeout if "/Calls.json" in uri else self._timeout

    def close(self) -> None:
        """Close all connections."""
        for pool in (self._pool, *self._by_proxy.values()):
            pool.clear()

    def _pool_for(self, uri: str) -> urllib3.PoolManager:
        proxy = self._ways_out.proxy_of(uri)
        if proxy is None:
            return self._pool
        if proxy not in self._by_proxy:
            made = pool_by(proxy, self._connections)
            end_answers_in_time(made)
            self._by_proxy[proxy] = made
        return self._by_proxy[proxy]

    def _send(
        self,
        method: str,
        uri: str,
        params: dict[str, object] | None,
        data: dict[str, object] | None,
        headers: dict[str, str],
        timeout: float | None,
        redirect: bool,
    ) -> tuple[Any, bytes]:
        url = f"{uri}?{urlencode(params, doseq=True)}" if params else uri
        body = urlencode(data, doseq=True) if data else None
        try:
            answer = self._pool_for(uri).request(
                method,
                url,
                body=body,
                headers=headers,
                redirect=redirect,
                timeout=timeout or self._timeout_of(uri),
                preload_content=False,
            )
            return answer, body_of(answer)
        except HTTPError as error:
            # The error's text holds the URL, and with it a filter's phone number: its kind is enough.
            raise TwilioUnavailable(f"Twilio did not answer: {type(error).__name__} ({shown(uri)})") from None
