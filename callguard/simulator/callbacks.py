"""Turns a call's progress into signed requests, with the faults that were asked for."""

import asyncio
from dataclasses import dataclass
from functools import lru_cache, partial
from itertools import product
from urllib.parse import quote, urlencode, urlsplit, urlunsplit
from uuid import uuid4

import aiohttp

from callguard.simulator.calls import CallEvent, CallStatus, Progress, StatusCallback
from callguard.simulator.config import AccountConfig
from callguard.simulator.connection_overrides import read_overrides
from callguard.simulator.dates import rfc2822
from callguard.simulator.delivery import CallbackRequest, Delivery, send
from callguard.simulator.faults import Dice
from callguard.simulator.signature import signature_headers

_read_overrides = lru_cache(maxsize=1024)(read_overrides)


@dataclass(slots=True)
class CallbackCounts:
    """How many callbacks were answered well, failed for good, were dropped as a fault, are under way."""

    sent: int = 0
    failed: int = 0
    dropped: int = 0
    pending: int = 0


class Callbacks:
    """One account's callbacks."""

    def __init__(self, config: AccountConfig, dice: Dice, delivery: Delivery) -> None:
        self.counts = CallbackCounts()
        self._config = config
        self._dice = dice
        self._delivery = delivery

    def offer(self, progress: Progress) -> None:
        """Send the callback soon, or twice, late or never where the faults say so. Returns at once."""
        copies = self._dice.callback_copies()
        if copies == 0:
            self.counts.dropped += 1
            return
        token = str(uuid4())  # the same for all attempts and copies of one event
        for copy in range(copies):
            self.counts.pending += 1
            errand = partial(self._deliver, progress, token)
            delay = self._dice.callback_delay()
            if delay:
                lane = f"{token}-{copy}"  # its own, so that the call's other callbacks overtake it
                asyncio.get_running_loop().call_later(delay, self._delivery.post, lane, errand)
            else:
                self._delivery.post(progress.call.sid, errand)

    async def _deliver(self, progress: Progress, token: str, session: aiohttp.ClientSession) -> None:
        callback = progress.call.order.callback
        if callback is None:  # never: only subscribed events become progress
            return
        try:
            delivered = await send(session, self._request(callback, progress, token))
        except ValueError:  # a URL that aiohttp cannot call
            delivered = False
        self.counts.pending -= 1
        self.counts.sent += delivered
        self.counts.failed += not delivered

    def _request(self, callback: StatusCallback, progress: Progress, token: str) -> CallbackRequest:
        fields = callback_fields(progress, self._config.sid)
        url, body = requested_url(callback.url), None
        overrides = _read_overrides(callback.url)
        headers = {"I-Twilio-Idempotency-Token": token, "User-Agent": "TwilioProxy/1.1", "Accept": "*/*"}
        if callback.method == "GET":
            url += ("&" if "?" in url else "?") + urlencode(fields, quote_via=quote)
            fields = {}
        else:
            body = urlencode(fields).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        headers |= signature_headers(self._config.auth_token, self._config.shared_key, url, fields)
        return CallbackRequest(callback.method, url, headers, body, overrides)


def requested_url(url: str) -> str:
    """The URL as it goes over the wire: without its fragment, and with a path."""
    parts = urlsplit(url)
    return urlunsplit((parts.scheme, parts.netloc, parts.path or "/", parts.query, ""))


GEO_FIELDS = {
    f"{who}{what}": ""
    for who, what in product(("Caller", "Called", "From", "To"), ("City", "State", "Zip", "Country"))
}
_SIP_RESPONSES = {
    CallStatus.COMPLETED: "200",
    CallStatus.BUSY: "486",
    CallStatus.NO_ANSWER: "487",
    CallStatus.CANCELED: "487",
    CallStatus.FAILED: "404",
}


def callback_fields(progress: Progress, account_sid: str) -> dict[str, str]:
    """The form of a callback. The geographic fields come empty, as they often do from Twilio."""
    call = progress.call
    fields = {
        "AccountSid": account_sid,
        "CallSid": call.sid,
        "CallStatus": progress.word,
        "From": call.order.from_number,
        "To": call.order.to,
        "Caller": call.order.from_number,
        "Called": call.order.to,
        "Direction": "outbound-api",
        "ApiVersion": "2010-04-01",
        "Timestamp": rfc2822(progress.at),
        "CallbackSource": "call-progress-events",
        "SequenceNumber": str(progress.sequence),
        **GEO_FIELDS,
    }
    if progress.event is CallEvent.COMPLETED:
        fields["CallDuration"] = str(call.talk_seconds)
        fields["Duration"] = str(-(-call.talk_seconds // 60))  # minutes begun
        fields["SipResponseCode"] = _SIP_RESPONSES[call.status]
    return fields
