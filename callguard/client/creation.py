"""What it looks like when a call is created: the request to Twilio and the answer."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

CREATED = 201
_CREATE = re.compile(r"/Accounts/(AC[0-9A-Za-z]+)/Calls\.json\Z")
_FIELDS = (
    *("sid", "account_sid", "status", "date_created", "queue_time", "from", "to", "direction", "parent_call_sid"),
)

Report = dict[str, Any]


def account_of_create(method: str, url: str) -> str | None:
    """Return the SID of the account that this request would create a call for, or None if it creates none."""
    match = _CREATE.search(urlsplit(url).path) if method.upper() == "POST" else None
    return match[1] if match else None


def read_report(text: str) -> Report | None:
    """Return the reported fields of a Call resource's JSON as Twilio names them, or None if it is no call."""
    try:
        call = json.loads(text, parse_constant=lambda _: None)
    except (TypeError, ValueError, RecursionError):
        return None
    if not isinstance(call, dict) or not isinstance(call.get("sid"), str):
        return None
    return {name: call[name] for name in _FIELDS if name in call}
