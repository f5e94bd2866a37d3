"""What both HTTP clients under the twilio library put into a request, and read from an answer first."""

import math
from base64 import b64encode
from collections.abc import Mapping

from callguard.errors import TwilioThrottled, TwilioUnavailable

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
