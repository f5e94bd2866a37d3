"""The twilio library's clients, and what both HTTP clients under them put into a request."""

import math
from base64 import b64encode
from collections.abc import Mapping

from twilio.http import HttpClient
from twilio.rest import Client
from twilio.rest.api.v2010.account import AccountContext
from twilio.rest.api.v2010.account.call import CallList

from callguard.config.accounts import Account
from callguard.errors import TwilioThrottled, TwilioUnavailable

# The library would let TWILIO_REGION and TWILIO_EDGE change the host of any URL; the settings follow them already
# where they should. An empty mapping would make the library read the environment.
_NO_ENVIRONMENT = {"TWILIO_REGION": "", "TWILIO_EDGE": ""}


class CallLists(dict[str, CallList]):
    """Each account's Calls resource by SID, made at its first use: a job serves one account of thousands."""

    def __init__(self, accounts: Mapping[str, Account], api_url: str, http_client: HttpClient) -> None:
        """Keep what a client needs."""
        super().__init__()
        self._accounts, self._api_url, self._http_client = accounts, api_url, http_client

    def __missing__(self, account_sid: str) -> CallList:
        """Make it; twice at once does no harm."""
        made = self[account_sid] = calls_of(self._accounts[account_sid], self._api_url, self._http_client)
        return made


def calls_of(account: Account, api_url: str, http_client: HttpClient) -> CallList:
    """Return an account's Calls resource, spoken to with its own credentials at its own URL, or at `api_url`."""
    return account_of(account, api_url, http_client).calls


def account_of(account: Account, api_url: str, http_client: HttpClient) -> AccountContext:
    """Return all of an account's resources, as `calls_of` does."""
    user, password = account.rest_credentials
    client = Client(user, password, account.sid, http_client=http_client, environment=_NO_ENVIRONMENT)
    client.api.base_url = (account.api_url or api_url).rstrip("/")
    return client.api.v2010.accounts(account.sid)


_THROTTLED = 429
_MAX_SECONDS = 3600.0


def headers_of(headers: Mapping[str, str] | None, auth: tuple[str, str] | None) -> dict[str, str]:
    """Return the library's headers, with Basic credentials."""
    basic = {"Authorization": f"Basic {b64encode(':'.join(auth).encode()).decode()}"} if auth else {}
    return {**(headers or {}), **basic}


def checked(http_status: int, headers: Mapping[str, str]) -> None:
    """Return for an answer of a request that was served.

    Raises:
        TwilioThrottled: 429; the request was never processed (https://www.twilio.com/docs/api/errors/20429).
        TwilioUnavailable: 5xx.
    """
    if http_status == _THROTTLED:
        concurrent = _count(headers.get("Twilio-Concurrent-Requests"))
        raise TwilioThrottled("Twilio answered 429", _seconds(headers.get("Retry-After")), concurrent)
    if http_status >= 500:
        raise TwilioUnavailable(f"Twilio answered {http_status}")


def _seconds(retry_after: str | None) -> float | None:
    try:
        seconds = float(retry_after) if retry_after else math.nan
    except ValueError:
        return None  # an HTTP date: no such answer of Twilio's is known
    return min(seconds, _MAX_SECONDS) if math.isfinite(seconds) and seconds >= 0 else None


def _count(concurrent_requests: str | None) -> int | None:
    text = (concurrent_requests or "").strip()
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else None
