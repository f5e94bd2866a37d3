"""Live calls and hold queues: what is sent to Twilio, and what its answers mean."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qs

import pytest

from callguard.config.accounts import Account
from callguard.domain.calls import CallStatus
from callguard.domain.hold_queues import HoldQueue
from callguard.domain.replies import LiveReply
from callguard.errors import TwilioRefused, TwilioThrottled, TwilioUnavailable
from callguard.telephony import live_calls
from callguard.telephony.calls import TwilioCalls
from callguard.telephony.http_client import PooledHttpClient
from callguard.telephony.live_calls import TwilioLiveCalls
from tests.calls import call_sid
from tests.conftest import ACCOUNT_SID
from tests.telephony.test_odd_answers import SID, Scripted, call, error, twilio

__all__ = ["twilio"]

QUEUE = "QU" + "0" * 31 + "1"


@pytest.fixture
def live(twilio: Scripted) -> Iterator[TwilioLiveCalls]:
    client = PooledHttpClient(timeout=1.0)
    url, accounts = f"http://127.0.0.1:{twilio.server_port}", {ACCOUNT_SID: Account(ACCOUNT_SID, ("a" * 32,))}
    yield TwilioLiveCalls(accounts, url, client, TwilioCalls(accounts, url, client))
    client.close()


def page(name: str, *items: object, following: str | None = None) -> tuple[int, dict[str, str], bytes]:
    return 200, {}, json.dumps({name: items, "next_page_uri": following, "uri": "/here"}).encode()


@pytest.mark.parametrize(
    ("status", "reply"),
    [
        ("completed", LiveReply.DONE),
        ("canceled", LiveReply.DONE),
        ("in-progress", LiveReply.UNKNOWN),
        ("ringing", LiveReply.UNKNOWN),
        ("brand-new", LiveReply.UNKNOWN),
    ],
)
def test_a_2xx_is_not_yet_a_hang_up(
    twilio: Scripted, live: TwilioLiveCalls, status: str, reply: LiveReply
) -> None:
    twilio.answers = [(200, {}, call(status))]

    assert live.hang_up(ACCOUNT_SID, SID) is reply
    ((_, sent),) = twilio.requests
    assert parse_qs(sent) == {"Status": ["completed"]}


@pytest.mark.parametrize(
    ("status", "reply"),
    [
        ("in-progress", LiveReply.DONE),
        ("completed", LiveReply.OVER),
        ("ringing", LiveReply.OVER),
        ("new", LiveReply.UNKNOWN),
    ],
)
def test_a_redirect_needs_a_call_in_progress(
    twilio: Scripted, live: TwilioLiveCalls, status: str, reply: LiveReply
) -> None:
    twilio.answers = [(200, {}, call(status))]

    assert live.redirect(ACCOUNT_SID, SID, "https://example.com/sorry?a=b") is reply
    ((_, sent),) = twilio.requests
    assert parse_qs(sent) == {"Url": ["https://example.com/sorry?a=b"], "Method": ["POST"]}


@pytest.mark.parametrize("code", [21220, 20404])
def test_a_call_that_is_over(twilio: Scripted, live: TwilioLiveCalls, code: int) -> None:
    twilio.answers = [(400, {}, error(code))] * 2

    assert live.hang_up(ACCOUNT_SID, SID) is LiveReply.OVER
    assert live.redirect(ACCOUNT_SID, SID, "https://example.com/") is LiveReply.OVER


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        ((429, {"Retry-After": "2"}, b"{}"), TwilioThrottled),
        ((503, {}, b"{}"), TwilioUnavailable),
        ((200, {}, b"<html>"), TwilioUnavailable),
        ((400, {}, error(20001)), TwilioRefused),
        ((401, {}, error(20003)), TwilioRefused),
    ],
)
def test_what_is_no_answer(
    twilio: Scripted, live: TwilioLiveCalls, answer: Any, expected: type[Exception]
) -> None:
    twilio.answers = [answer] * 3

    for ask in (
        lambda: live.hang_up(ACCOUNT_SID, SID),
        lambda: live.hold_queues(ACCOUNT_SID),
        lambda: live.on_hold(ACCOUNT_SID, QUEUE),
    ):
        with pytest.raises((TwilioRefused, expected)) as raised:
            ask()
        assert "+1555" not in str(raised.value)


def test_the_list_has_all_that_rings_or_talks(twilio: Scripted, live: TwilioLiveCalls) -> None:
    created = "Tue, 10 Aug 2010 08:02:17 +0000"
    usual = {
        "status": "in-progress",
        "direction": "outbound-api",
        "date_created": created,
        "to": "+2",
        "from": "+1",
    }
    twilio.answers = [
        page("calls", {**usual, "sid": call_sid(1)}, following="/2010-04-01/next"),
        page(
            "calls", {**usual, "sid": call_sid(2), "direction": "outbound-dial"}, {**usual, "status": "completed"}
        ),
        page("calls", {**usual, "sid": call_sid(3), "status": "ringing", "date_created": "soon", "from": None}),
    ]

    first, second, third = [one for some in live.live_calls(ACCOUNT_SID) for one in some]

    assert (first.status, first.created_ms, first.is_outbound_api) == (CallStatus.IN_PROGRESS, 1281427337000, True)
    assert (first.from_number, first.to_number) == ("+1", "+2")
    assert not second.is_outbound_api
    assert (third.call_sid, third.status, third.created_ms) == (call_sid(3), CallStatus.RINGING, 0)
    assert third.from_number == ""
    assert ["in-progress" in target or "next" in target for target, _ in twilio.requests] == [True, True, False]
    assert "Status=ringing" in twilio.requests[2][0]


def test_hold_queues_and_their_members(twilio: Scripted, live: TwilioLiveCalls) -> None:
    twilio.answers = [
        page(
            "queues", {"sid": QUEUE, "friendly_name": "callers", "current_size": 2}, following="/2010-04-01/more"
        ),
        page("queues", {"sid": "QU2", "friendly_name": None, "current_size": "?"}),
        page("queue_members", {"call_sid": call_sid(1)}, following="/2010-04-01/members"),
        page("queue_members", {"call_sid": call_sid(2)}),
        (404, {}, error(20404)),
    ]

    assert live.hold_queues(ACCOUNT_SID) == [HoldQueue(QUEUE, "callers", 2), HoldQueue("QU2", "QU2", None)]
    assert live.on_hold(ACCOUNT_SID, QUEUE) == [call_sid(1), call_sid(2)]
    assert live.on_hold(ACCOUNT_SID, QUEUE) == [], "the queue is gone"


@pytest.mark.parametrize(
    ("answer", "ask"),
    [
        (page("queues", {"friendly_name": "callers"}), lambda live: live.hold_queues(ACCOUNT_SID)),
        (page("queue_members", {"position": 1}), lambda live: live.on_hold(ACCOUNT_SID, QUEUE)),
        ((200, {}, b"{}"), lambda live: live.hold_queues(ACCOUNT_SID)),
        ((404, {}, error(20404)), lambda live: live.hold_queues(ACCOUNT_SID)),
    ],
)
def test_who_is_on_hold_is_known_whole_or_not_at_all(
    twilio: Scripted, live: TwilioLiveCalls, answer: Any, ask: Any
) -> None:
    twilio.answers = [answer]

    with pytest.raises((TwilioUnavailable, TwilioRefused)):
        ask(live)


def test_a_list_without_end_is_given_up(
    twilio: Scripted, live: TwilioLiveCalls, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_calls, "MAX_PAGES", 3)
    twilio.answers = [page("queues", {"sid": QUEUE}, following="/2010-04-01/more")] * 4

    with pytest.raises(TwilioUnavailable, match="more than 3 pages"):
        live.hold_queues(ACCOUNT_SID)
