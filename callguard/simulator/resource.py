"""The JSON of a call, a page of calls and an error, as in Twilio's OpenAPI document.

Written by template: formatting a page of a thousand calls is the simulator's greatest single cost.
"""

import json
from collections.abc import Mapping
from functools import lru_cache
from urllib.parse import quote_plus

from callguard.simulator.calls import Call
from callguard.simulator.dates import rfc2822
from callguard.simulator.errors import ApiError
from callguard.simulator.listing import Page, PageRequest, end_time, start_time

API_VERSION = "2010-04-01"
_SUBRESOURCES = (
    "notifications",
    "recordings",
    "payments",
    "events",
    "siprec",
    "streams",
    "transcriptions",
    "user_defined_message_subscriptions",
    "user_defined_messages",
)


def _camel_case(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def _field(name: str, value: str) -> str:
    return f'"{name}": {value}'


_CALL = (
    "{"
    + ", ".join(
        [
            '"sid": "%(sid)s", "account_sid": "%(account_sid)s", "status": "%(status)s"',
            '"date_created": "%(created)s", "date_updated": "%(updated)s"',
            '"to": %(to)s, "to_formatted": %(to_formatted)s',
            '"from": %(from)s, "from_formatted": %(from_formatted)s',
            '"start_time": %(start)s, "end_time": %(end)s, "duration": %(duration)s',
            '"queue_time": "%(queue_time)d", "direction": "outbound-api", "price": null, "price_unit": "USD"',
            '"parent_call_sid": null, "phone_number_sid": null, "answered_by": null, "forwarded_from": null',
            '"group_sid": null, "caller_name": null, "trunk_sid": null',
            _field("api_version", f'"{API_VERSION}"'),
            _field("uri", '"%(uri)s.json"'),
            '"subresource_uris": {',
        ]
    )
    + ", ".join(_field(name, f'"%(uri)s/{_camel_case(name)}.json"') for name in _SUBRESOURCES)
    + "}}"
)


def call_json(call: Call, account_sid: str, view: float) -> str:
    """The call as a look at the time `view` (unix seconds) shows it."""
    start, end = start_time(call, view), end_time(call, view)
    to, to_formatted = _number_json(call.order.to)
    from_number, from_formatted = _number_json(call.order.from_number)
    return _CALL % {
        "sid": call.sid,
        "account_sid": account_sid,
        "status": call.status_at(view),
        "created": rfc2822(call.created_at),
        "updated": rfc2822(_updated_at(call, view)),
        "to": to,
        "to_formatted": to_formatted,
        "from": from_number,
        "from_formatted": from_formatted,
        "start": "null" if start is None else f'"{rfc2822(start)}"',
        "end": "null" if end is None else f'"{rfc2822(end)}"',
        "duration": "null" if end is None else f'"{call.talk_seconds}"',
        "queue_time": call.queue_time_ms,
        "uri": f"/{API_VERSION}/Accounts/{account_sid}/Calls/{call.sid}",
    }


def page_json(page: Page, request: PageRequest, query: Mapping[str, str], account_sid: str, view: float) -> str:
    """A page of calls with the addresses of its neighbours. `query` is what the client sent."""
    here = _PageAddress(query, request, account_sid)
    start = request.page * request.size
    head = {
        "first_page_uri": here.of(0, None),
        "next_page_uri": here.of(request.page + 1, f"PA{page.calls[-1].sid}")
        if page.more_after and page.calls
        else None,
        "previous_page_uri": here.of(max(request.page - 1, 0), f"PB{page.calls[0].sid}")
        if page.more_before and page.calls
        else None,
        "uri": here.of(request.page, request.token),
        "page": request.page,
        "page_size": request.size,
        "start": start,
        "end": start + max(len(page.calls) - 1, 0),
    }
    calls = ", ".join([call_json(call, account_sid, view) for call in page.calls])
    return f'{json.dumps(head)[:-1]}, "calls": [{calls}]}}'


def error_json(error: ApiError) -> str:
    """https://www.twilio.com/docs/usage/twilios-response#twilios-response-to-errors"""
    more_info = f"https://www.twilio.com/docs/errors/{error.code}"
    return json.dumps({"code": error.code, "message": error.message, "more_info": more_info, "status": error.http})


class _PageAddress:
    def __init__(self, query: Mapping[str, str], request: PageRequest, account_sid: str) -> None:
        filters = [(n, v) for n, v in query.items() if n not in ("Page", "PageSize", "PageToken")]
        pairs = [*filters, ("PageSize", str(request.size))]
        fixed = "&".join(f"{quote_plus(name)}={quote_plus(value)}" for name, value in pairs)
        self._path = f"/{API_VERSION}/Accounts/{account_sid}/Calls.json?{fixed}"

    def of(self, page: int, token: str | None) -> str:
        return f"{self._path}&Page={page}" + (f"&PageToken={token}" if token else "")


def _updated_at(call: Call, view: float) -> float:
    times = (call.ended_at, call.answered_at, call.dialled_at)
    return next((at for at in times if at is not None and at <= view), call.created_at)


@lru_cache(maxsize=65536)
def _number_json(number: str) -> tuple[str, str]:
    """The number as JSON, plain and formatted for display: North American ones as `(305) 141-6799`."""
    shown = number
    if number.startswith("+1") and len(number) == 12 and number[1:].isdigit():
        shown = f"({number[2:5]}) {number[5:8]}-{number[8:]}"
    return json.dumps(number), json.dumps(shown)
