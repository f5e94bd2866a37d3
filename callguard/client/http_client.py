"""The HTTP client that a caller's program gives to the twilio library."""

from types import TracebackType
from typing import Any, Literal, Self

from twilio.http import HttpClient
from twilio.http.http_client import TwilioHttpClient
from twilio.http.response import Response

from callguard.client.blocked import UNKNOWN, CallsBlocked
from callguard.client.creation import CREATED, account_of_create, read_report
from callguard.client.guard_api import Verdict
from callguard.client.lines import EXIT_SECONDS, line_to
from callguard.client.log import Seldom, log
from callguard.client.settings import checked_seconds, read_settings

_TIMEOUT = 10.0  # the library's own default is to wait for ever
_OWN = frozenset({"_wrapped", "_fails_open", "_line", "_trouble"})


class GuardedHttpClient(HttpClient):  # type: ignore[misc]  # twilio ships no types
    """Asks the guard before each call is created and reports each one that was; all else passes through.

    It wraps another of the library's HTTP clients and shows that client's attributes as its own.
    """

    def __init__(
        self,
        guard_url: str | None = None,
        api_key: str | None = None,
        *,
        fail: Literal["open", "closed"] = "open",
        http_client: HttpClient | None = None,
        timeout: float | None = None,
        gate_timeout: float = 0.3,
        answer_seconds: float = 1.0,
    ) -> None:
        """Open nothing yet.

        `guard_url` and `api_key` default to CALLGUARD_URL and CALLGUARD_CLIENT_KEY. While the guard gives no
        answer, `fail="open"` lets creates go on and `fail="closed"` blocks them. `http_client` sends the requests
        (default: the library's own, which waits `timeout` seconds, 10 unless given). A create waits for the guard
        `gate_timeout` seconds at most; an answer is good for `answer_seconds`.

        Raises:
            ValueError: an argument is missing or wrong; the text names it and says what to do.
        """
        # The base class's __init__ would set attributes that hide those of the wrapped client.
        if fail not in ("open", "closed"):
            raise ValueError(f'fail: {fail!r} is unknown; give "open" or "closed"')
        self._wrapped = _wrapped(http_client, timeout)
        self._fails_open = fail == "open"
        self._line = line_to(read_settings(guard_url, api_key, gate_timeout, answer_seconds))
        self._trouble = Seldom()

    def request(
        self,
        method: str,
        url: str,
        params: dict[str, object] | None = None,
        data: dict[str, object] | None = None,
        headers: dict[str, str] | None = None,
        auth: tuple[str, str] | None = None,
        timeout: float | None = None,
        allow_redirects: bool = False,
    ) -> Response:
        """Send one request through the wrapped client and return its answer; its errors pass unchanged.

        Raises:
            CallsBlocked: this request would create a call and the guard forbids it; it was not sent.
        """
        account_sid = account_of_create(method, url)
        if account_sid:
            self._require_permission(account_sid)
        response = self._wrapped.request(
            method, url, params=params, data=data, headers=headers, auth=auth, timeout=timeout,
            allow_redirects=allow_redirects,
        )  # fmt: skip
        if account_sid:
            self._report(response)
        return response

    def close(self) -> None:
        """Wait up to 2 s until the guard has the reports. The client stays usable; what is left goes on trying."""
        self._line.reports.flush(EXIT_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __getattr__(self, name: str) -> Any:
        if name in _OWN:  # not set yet: copying and unpickling look before __init__
            raise AttributeError(name)
        return getattr(self._wrapped, name)

    def __setattr__(self, name: str, value: object) -> None:
        if name in _OWN:
            super().__setattr__(name, value)
        else:
            setattr(self._wrapped, name, value)

    def _require_permission(self, account_sid: str) -> None:
        verdict = self._ask(account_sid)
        if verdict is None or verdict.allowed is None:
            if not self._fails_open:
                raise CallsBlocked(account_sid, UNKNOWN, None)
        elif not verdict.allowed:
            raise CallsBlocked(account_sid, verdict.state, verdict.drain_seconds)

    def _ask(self, account_sid: str) -> Verdict | None:
        try:
            return self._line.gate.ask(account_sid)
        except Exception as error:  # such as no more threads: our trouble must not become the caller's
            self._warn("ask the guard", error)
            return None

    def _report(self, response: Response) -> None:
        try:
            report = read_report(response.text) if response.status_code == CREATED else None
            if report:
                self._line.reports.add(report)
        except Exception as error:  # the call exists by now: nothing of ours may hide that from the caller
            self._warn("report a created call", error)

    def _warn(self, what: str, error: Exception) -> None:
        if self._trouble.due():
            log.warning("Could not %s: %s", what, type(error).__name__)


def _wrapped(http_client: HttpClient | None, timeout: float | None) -> HttpClient:
    if http_client is None:
        return TwilioHttpClient(timeout=_TIMEOUT if timeout is None else checked_seconds("timeout", timeout))
    if timeout is not None:
        raise ValueError("timeout: set it on your own http_client, which sends the requests")
    if getattr(http_client, "is_async", False):
        raise ValueError("http_client: asynchronous clients are not supported; give a TwilioHttpClient")
    return http_client
