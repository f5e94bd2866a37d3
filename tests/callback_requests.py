"""Signed status callbacks, as bytes ready to send."""

from email.utils import formatdate
from itertools import count
from urllib.parse import urlencode

from twilio.request_validator import RequestValidator

PATH = "/twilio/status"
_numbers = count(int.from_bytes(b"bench") << 64)


def signed_callback(
    public_url: str, account_sid: str, token: str, *, status: str = "initiated", call_sid: str | None = None
) -> bytes:
    """Return an HTTP request with one callback of a new call, to a destination of its own."""
    number = next(_numbers)
    to_number = f"+1555{number % 10_000_000:07d}"
    form = {
        "AccountSid": account_sid,
        "ApiVersion": "2010-04-01",
        "CallSid": call_sid or f"CA{number:032x}",
        "CallStatus": status,
        "CallbackSource": "call-progress-events",
        "Called": to_number,
        "CalledCity": "",
        "CalledCountry": "US",
        "CalledState": "CA",
        "CalledZip": "",
        "Caller": "+15550001111",
        "CallerCity": "SAN FRANCISCO",
        "CallerCountry": "US",
        "CallerState": "CA",
        "CallerZip": "94105",
        "Direction": "outbound-api",
        "From": "+15550001111",
        "FromCity": "SAN FRANCISCO",
        "FromCountry": "US",
        "FromState": "CA",
        "FromZip": "94105",
        "SequenceNumber": "0",
        "Timestamp": formatdate(usegmt=False),
        "To": to_number,
        "ToCity": "",
        "ToCountry": "US",
        "ToState": "CA",
        "ToZip": "",
    }
    body = urlencode(form).encode()
    signature = RequestValidator(token).compute_signature(public_url + PATH, form)
    head = (
        f"POST {PATH} HTTP/1.1\r\nHost: guard.example.com\r\nContent-Length: {len(body)}\r\n"
        "Content-Type: application/x-www-form-urlencoded; charset=UTF-8\r\nUser-Agent: TwilioProxy/1.1\r\n"
        f"X-Twilio-Signature: {signature}\r\nI-Twilio-Idempotency-Token: 11111111-2222-3333\r\nAccept: */*\r\n\r\n"
    )
    return head.encode() + body
