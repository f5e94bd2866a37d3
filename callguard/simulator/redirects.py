"""Redirecting a call: fetch the TwiML from where the update said, signed, and do what it says.

https://www.twilio.com/docs/voice/twiml#twilios-request-to-your-application
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote, urlencode

import aiohttp
from yarl import URL

from callguard.simulator.account import Account
from callguard.simulator.callbacks import GEO_FIELDS, requested_url
from callguard.simulator.calls import Call, CallStatus
from callguard.simulator.config import AccountConfig
from callguard.simulator.delivery import Delivery
from callguard.simulator.signature import signature_headers
from callguard.simulator.twiml import Act, BadTwimlError, next_step

_SECONDS = aiohttp.ClientTimeout(total=15)


@dataclass(frozen=True, slots=True)
class Redirects:
    """The redirects of one account. `now` is its clock, and lets happen what is due."""

    config: AccountConfig
    model: Account
    delivery: Delivery
    now: Callable[[], float]

    def follow(self, call: Call, url: str, method: str) -> None:
        """Fetch the document soon, and do what it says. Returns at once."""
        self.delivery.post(f"redirect {call.sid}", partial(self._fetch, call, url, method))

    def act(self, call: Call, document: str) -> None:
        """Do what the document says; where it says nothing that can be done, the call ends."""
        now = self.now()
        if call.ended:
            return
        try:
            step = next_step(document)
        except BadTwimlError:
            self.model.end(call, CallStatus.COMPLETED, now)
            return
        if step.act is Act.ENQUEUE and self.model.hold.put(call, step.queue, now):
            return
        if step.act is Act.DIAL_QUEUE:
            self.model.hold.take_first(step.queue, now)
        elif step.act is not Act.DIAL:
            self.model.end(call, CallStatus.COMPLETED, now)

    async def _fetch(self, call: Call, url: str, method: str, session: aiohttp.ClientSession) -> None:
        fields = _fields(call, self.config.sid)
        address, body = requested_url(url), None
        headers = {"User-Agent": "TwilioProxy/1.1", "Accept": "*/*"}
        if method == "GET":
            address += ("&" if "?" in address else "?") + urlencode(fields, quote_via=quote)
            fields = {}
        else:
            body = urlencode(fields).encode()
            headers["Content-Type"] = "application/x-www-form-urlencoded; charset=UTF-8"
        headers |= signature_headers(self.config.auth_token, self.config.shared_key, address, fields)
        try:
            request = partial(session.request, method, URL(address, encoded=True), data=body, headers=headers)
            async with request(timeout=_SECONDS) as reply:
                document = await reply.text() if reply.status < 400 else ""
        except (aiohttp.ClientError, TimeoutError, ValueError):
            document = ""  # "An application error has occurred", and the call ends
        self.act(call, document)


def _fields(call: Call, account_sid: str) -> dict[str, str]:
    return {
        "AccountSid": account_sid,
        "CallSid": call.sid,
        "CallStatus": str(call.status),
        "From": call.order.from_number,
        "To": call.order.to,
        "Caller": call.order.from_number,
        "Called": call.order.to,
        "Direction": "outbound-api",
        "ApiVersion": "2010-04-01",
        **GEO_FIELDS,
    }
