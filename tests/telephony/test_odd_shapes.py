"""JSON of any shape is an answer that cannot be read, never a bug that shows; and which calls are the guard's."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any

import pytest

from callguard.config.accounts import Account
from callguard.domain.replies import CancelReply
from callguard.domain.selection import Selection
from callguard.errors import TwilioRefused, TwilioThrottled, TwilioUnavailable
from callguard.telephony.calls import TwilioCalls
from callguard.telephony.http_client import PooledHttpClient
from callguard.telephony.live_calls import TwilioLiveCalls
from tests.calls import call_sid
from tests.conftest import ACCOUNT_SID
from tests.telephony.test_odd_answers import SID, Adapter, Scripted, adapter, call, calls, error, twilio

__all__ = ["adapter", "calls", "twilio"]

DEEP = b"[" * 100_000
SHAPES = {
    "an empty list": b"[]",
    "a text": b'"x"',
    "null": b"null",
    "a number": b"7",
    "true": b"true",
    "no JSON": b"<html>",
    "cut off": b'{"calls": [{"sid": "CA1',
    "no bytes": b"",
    "no UTF-8": b"\xff\xfe",
    "deep": DEEP,
    "deep objects": b'{"calls":' * 50_000,
    "NaN": b"NaN",
    "endless digits": b'{"status": ' + b"9" * 5000 + b"}",
}
LISTS: dict[str, object] = {
    "null for calls": {"calls": None},
    "a text for calls": {"calls": "abc"},
    "an object for calls": {"calls": {"a": 1}},
    "a number for calls": {"calls": 7},
    "rows that are texts": {"calls": ["a"]},
    "rows that are null": {"calls": [None]},
    "rows that are lists": {"calls": [[1]]},
    "no calls": {},
    "two lists": {"calls": [], "others": []},
    "a SID that is a number": {"calls": [{"sid": 7, "status": "queued"}]},
    "no SID": {"calls": [{"status": "queued"}]},
    "a date that is an object": {"calls": [{"sid": SID, "status": "queued", "date_created": {"a": 1}}]},
    "meta that is a number": {"calls": [], "meta": 7},
    "a next page that is a number": {"calls": [], "next_page_uri": 7},
    "a next page that is a list": {"calls": [], "next_page_uri": ["x"]},
}


@pytest.fixture
def live(twilio: Scripted, calls: TwilioCalls) -> Iterator[TwilioLiveCalls]:
    """The adapter for live calls, pointed at the scripted Twilio."""
    client = PooledHttpClient(timeout=1.0)
    accounts = {ACCOUNT_SID: Account(ACCOUNT_SID, ("a" * 32,))}
    yield TwilioLiveCalls(accounts, f"http://127.0.0.1:{twilio.server_port}", client, calls)
    client.close()


def body_of(shape: object) -> bytes:
    return shape if isinstance(shape, bytes) else json.dumps(shape).encode()


@pytest.mark.parametrize("shape", [*SHAPES.values(), *LISTS.values()], ids=[*SHAPES, *LISTS])
def test_a_list_of_any_shape_is_unreadable(twilio: Scripted, calls: TwilioCalls, shape: object) -> None:
    body, now = body_of(shape), datetime.now(UTC)
    told: list[str] = []
    readers: list[Callable[[], Iterator[Any]]] = [
        lambda: calls.queued_calls(ACCOUNT_SID),
        lambda: calls.history(ACCOUNT_SID, now, now, lambda _, why: told.append(why)),
        lambda: calls.history(ACCOUNT_SID, now),
        lambda: calls.queued_patiently(ACCOUNT_SID, Selection(), lambda _, why: told.append(why)),
    ]
    for read in readers:
        twilio.answers = [(200, {}, body)] * 9
        with suppress(TwilioUnavailable):
            for page in read():
                assert not getattr(page, "calls", None)  # of a history an odd row may be shown, of the queue none


@pytest.mark.parametrize("shape", [*SHAPES.values(), *LISTS.values()], ids=[*SHAPES, *LISTS])
def test_live_calls_and_hold_queues_of_any_shape_are_unreadable(
    twilio: Scripted, live: TwilioLiveCalls, shape: object
) -> None:
    body = body_of(shape).replace(b'"queued"', b'"in-progress"')
    readers: list[Callable[[], Any]] = [
        lambda: [one for page in live.live_calls(ACCOUNT_SID) for one in page],
        lambda: live.hold_queues(ACCOUNT_SID),
        lambda: live.on_hold(ACCOUNT_SID, "QU" + "1" * 32),
    ]
    for read in readers:
        twilio.answers = [(200, {}, body)] * 9
        with suppress(TwilioUnavailable):
            read()


@pytest.mark.parametrize("shape", SHAPES.values(), ids=SHAPES)
def test_an_answer_about_one_call_of_any_shape_is_unknown(
    twilio: Scripted, adapter: Adapter, live: TwilioLiveCalls, shape: bytes
) -> None:
    for ask in (adapter.cancel, adapter.look_up, live.hang_up, live.has_ended):
        twilio.answers = [(200, {}, shape)]
        with pytest.raises(TwilioUnavailable):
            ask(ACCOUNT_SID, SID)


@pytest.mark.parametrize(
    "told",
    ["abc", [], {}, None, True, -1, 1.5, "9" * 5000, "²", 10**30],
    ids=[
        "text",
        "list",
        "object",
        "null",
        "true",
        "negative",
        "fraction",
        "digits",
        "a digit of another kind",
        "huge",
    ],
)
def test_an_error_of_any_shape_is_a_refusal_without_a_code(
    twilio: Scripted, adapter: Adapter, live: TwilioLiveCalls, told: object
) -> None:
    rfc9457 = {"type": "about:blank", "title": "+15551234567", "status": told, "code": told}
    for body in ({"code": told, "message": told}, rfc9457, [told], told):
        for ask in (adapter.cancel, adapter.look_up, live.hang_up):
            twilio.answers = [(400, {}, json.dumps(body).encode())]
            with pytest.raises((TwilioRefused, TwilioUnavailable)) as caught:
                ask(ACCOUNT_SID, SID)
            assert "+1555" not in str(caught.value)
            assert "999999" not in str(caught.value)


@pytest.mark.parametrize(
    ("asked", "pause"),
    [
        ("1e9", 3600.0),
        ("Wed, 21 Oct 2026 07:28:00 GMT", None),
        ("-5", None),
        ("nan", None),
        ("inf", None),
        ("", None),
    ],
)
def test_a_pause_is_one_that_can_be_kept(
    twilio: Scripted, adapter: Adapter, asked: str, pause: float | None
) -> None:
    twilio.answers = [(429, {"Retry-After": asked}, error(20429))]

    with pytest.raises(TwilioThrottled) as caught:
        adapter.cancel(ACCOUNT_SID, SID)

    assert caught.value.retry_after == pause


def row(number: int, **more: object) -> dict[str, object]:
    usual = {"sid": call_sid(number), "status": "queued", "from": "+15550001111", "to": "+15550002222"}
    return {**usual, **more}


PARENT = call_sid(99)
ROWS = [
    row(1, direction="outbound-api"),
    row(2, direction="outbound-dial", parent_call_sid=PARENT),
    row(3, direction="outbound-dial"),
    row(4, direction="inbound"),
    row(5, direction="trunking-originating"),
    row(6, direction=None, parent_call_sid=None),
    row(7, parent_call_sid=PARENT),
    row(8, direction="outbound-api", parent_call_sid=PARENT),
    row(9, direction=7),
    row(10, direction="", parent_call_sid=""),
    row(11, direction="outbound-api", **{"from": 5, "to": ["x"]}),
]


def page_of(rows: list[dict[str, object]]) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, json.dumps({"calls": rows, "next_page_uri": None, "uri": "/"}).encode()


def test_only_calls_by_api_wait_in_the_queue(twilio: Scripted, calls: TwilioCalls) -> None:
    """A row without a direction counts, unless it has a parent: see `is_in_rate_queue`."""
    twilio.answers = [page_of(ROWS)] * 2
    watched = [one for page in calls.queued_calls(ACCOUNT_SID) for one in page.calls]
    by_hand = [
        one for page in calls.queued_patiently(ACCOUNT_SID, Selection(), lambda *_: None) for one in page.calls
    ]

    wanted = [call_sid(number) for number in (1, 6, 10, 11)]
    assert [one.call_sid for one in watched] == [one.call_sid for one in by_hand] == wanted
    assert (watched[3].from_number, watched[3].to_number) == ("", "")  # not known, and so never cancelled


def test_a_history_tells_calls_by_api_from_others(twilio: Scripted, calls: TwilioCalls) -> None:
    long_ago = datetime(2000, 1, 1, tzinfo=UTC)
    twilio.answers = [page_of(ROWS)]

    past = [one for page in calls.history(ACCOUNT_SID, long_ago) for one in page]

    assert [one.call_sid for one in past if not one.is_child] == [call_sid(n) for n in (1, 6, 10, 11)]


def test_of_live_calls_only_those_that_say_so_are_acted_on(twilio: Scripted, live: TwilioLiveCalls) -> None:
    talking = [{**one, "status": "in-progress"} for one in ROWS]
    twilio.answers = [page_of(talking), page_of([])]

    listed = [one for page in live.live_calls(ACCOUNT_SID) for one in page]

    assert [one.call_sid for one in listed if one.is_outbound_api] == [call_sid(1), call_sid(11)]


@pytest.mark.parametrize(
    ("more", "reply"),
    [
        ({"direction": "outbound-api", "to": "911"}, CancelReply.EMERGENCY),
        ({"direction": "outbound-api", "to": "+911"}, CancelReply.EMERGENCY),
        ({"direction": "outbound-api", "to": "+44999"}, CancelReply.EMERGENCY),
        ({"direction": "outbound-api", "to": "9111"}, CancelReply.STILL_QUEUED),
        ({"to": 7}, CancelReply.STILL_QUEUED),
        ({"direction": "outbound-dial", "parent_call_sid": PARENT}, CancelReply.OTHER_CALL),
        ({"direction": "inbound"}, CancelReply.OTHER_CALL),
        ({"parent_call_sid": PARENT}, CancelReply.OTHER_CALL),
    ],
)
def test_a_look_says_which_queued_call_is_not_to_be_cancelled(
    twilio: Scripted, adapter: Adapter, more: dict[str, object], reply: CancelReply
) -> None:
    twilio.answers = [(200, {}, call("queued", **more))]

    assert adapter.look_up(ACCOUNT_SID, SID) is reply
