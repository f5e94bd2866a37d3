"""The JSON of hold queues and their members, and their pages, as in Twilio's OpenAPI document."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

from callguard.simulator.dates import rfc2822
from callguard.simulator.errors import invalid
from callguard.simulator.hold_queues import HoldQueue
from callguard.simulator.listing import read_place
from callguard.simulator.resource import API_VERSION


def queues_json(queues: Sequence[HoldQueue], query: Mapping[str, str], account_sid: str, now: float) -> str:
    """A page of queues. Raises `ApiError` 400 for a page that cannot be."""
    items = [(queue.sid, _queue(queue, account_sid, now)) for queue in queues]
    return _page("queues", items, query, _folder(account_sid))


def members_json(queue: HoldQueue, query: Mapping[str, str], account_sid: str, now: float) -> str:
    """A page of a queue's members, the first to be served first. Raises as `queues_json` does."""
    items = [
        (call_sid, _member(queue, call_sid, place, account_sid, now))
        for place, call_sid in enumerate(queue.members, start=1)
    ]
    return _page("queue_members", items, query, f"{_folder(account_sid)}/{queue.sid}/Members")


def _queue(queue: HoldQueue, account_sid: str, now: float) -> dict[str, Any]:
    return {
        "sid": queue.sid,
        "account_sid": account_sid,
        "friendly_name": queue.name,
        "current_size": len(queue.members),
        "max_size": queue.max_size,
        "average_wait_time": queue.average_wait(now),
        "date_created": rfc2822(queue.created_at),
        "date_updated": rfc2822(queue.updated_at),
        "uri": f"{_folder(account_sid)}/{queue.sid}.json",
    }


def _member(queue: HoldQueue, call_sid: str, place: int, account_sid: str, now: float) -> dict[str, Any]:
    since = queue.members[call_sid]
    return {
        "call_sid": call_sid,
        "queue_sid": queue.sid,
        "date_enqueued": rfc2822(since),
        "position": place,
        "wait_time": round(now - since),
        "uri": f"{_folder(account_sid)}/{queue.sid}/Members/{call_sid}.json",
    }


def _page(name: str, items: Sequence[tuple[str, dict[str, Any]]], query: Mapping[str, str], folder: str) -> str:
    """A page that begins behind the item that the token names."""
    size, page, token = read_place(query, ("PAQU", "PACA"))
    start = 0
    if token is not None:
        places = [place for place, (sid, _) in enumerate(items) if sid == token[2:]]
        if not places:
            raise invalid("PageToken", token)
        start = places[0] + 1
    shown = items[start : start + size]
    more = start + size < len(items)
    here = f"{folder}.json"
    head = {
        "first_page_uri": _uri(here, size, 0, None),
        "next_page_uri": _uri(here, size, page + 1, f"PA{shown[-1][0]}") if more else None,
        "previous_page_uri": None if start == 0 else _uri(here, size, max(page - 1, 0), None),
        "uri": _uri(here, size, page, token),
        "page": page,
        "page_size": size,
        "start": page * size,
        "end": page * size + max(len(shown) - 1, 0),
    }
    return json.dumps({**head, name: [item for _, item in shown]})


def _uri(path: str, size: int, page: int, token: str | None) -> str:
    return f"{path}?PageSize={size}&Page={page}" + (f"&PageToken={token}" if token else "")


def _folder(account_sid: str) -> str:
    return f"/{API_VERSION}/Accounts/{account_sid}/Queues"
