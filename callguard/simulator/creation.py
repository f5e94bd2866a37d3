"""Reading a request that creates a call: https://www.twilio.com/docs/voice/api/call-resource#create-a-call"""

import re
from collections.abc import Mapping, Sequence
from urllib.parse import urlsplit

from callguard.simulator.calls import CallEvent, NewCall, StatusCallback
from callguard.simulator.errors import ApiError, invalid

Form = Mapping[str, Sequence[str]]

_ADDRESS = re.compile(r"\+?[0-9]{3,15}|(sip|client|sim|whatsapp):.+")


def read_new_call(form: Form) -> NewCall:
    """The call that the form asks for.

    Raises `ApiError` 400 with 21201 (no To), 21213 (no From), 21205 (neither Url, Twiml nor ApplicationSid),
    21211 and 21212 (To, From are no addresses) or 21609 (StatusCallback is no URL).
    """
    to, from_number = first(form, "To"), first(form, "From")
    if not to:
        raise ApiError(400, 21201, "No 'To' number is specified")
    if not from_number:
        raise ApiError(400, 21213, "No 'From' number is specified")
    if not (first(form, "Url") or first(form, "Twiml") or first(form, "ApplicationSid")):
        raise ApiError(400, 21205, "Url parameter is required.")
    if not _ADDRESS.fullmatch(to):
        raise ApiError(400, 21211, f"The phone number you are attempting to call, {to}, is not valid.")
    if not _ADDRESS.fullmatch(from_number):
        raise ApiError(400, 21212, f"The source phone number provided, {from_number}, is not valid.")
    return NewCall(to, from_number, _callback(form))


def read_callback(url: str, method: str, events: Sequence[str]) -> StatusCallback | None:
    """The callback that these parameters mean; None where Twilio would call nobody.

    An unknown event costs the caller all callbacks, and the call is created nevertheless (error 21626 in
    Twilio's debugger). Raises `ApiError` 400 for a URL or method that Twilio refuses.
    """
    if not is_web_address(url):
        raise ApiError(400, 21609, f"Invalid StatusCallback URL: {url}")
    if method not in ("GET", "POST"):
        raise invalid("StatusCallbackMethod", method)
    try:
        subscribed = frozenset(CallEvent(event) for event in events)
    except ValueError:
        return None
    return StatusCallback(url, method, subscribed or frozenset({CallEvent.COMPLETED}))


def is_web_address(url: str) -> bool:
    """Whether Twilio could send a request there."""
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # such as a port above 65535 or half an IPv6 address
        return False


def first(form: Form, name: str) -> str:
    """The first value of that name, or an empty string."""
    values = form.get(name)
    return values[0] if values else ""


def _callback(form: Form) -> StatusCallback | None:
    url = first(form, "StatusCallback")
    if not url or first(form, "ApplicationSid"):
        return None  # with an ApplicationSid, Twilio ignores the callback parameters
    method = first(form, "StatusCallbackMethod").upper() or "POST"
    return read_callback(url, method, form.get("StatusCallbackEvent", ()))
