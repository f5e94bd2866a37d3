"""The simulated Event Streams, as a sink meets it; and what the guard's own webhook reads in it."""

import json
import time
from base64 import b64decode
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from twilio.request_validator import RequestValidator, get_signature_algorithm
from werkzeug.datastructures import Headers

from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent, CallStatus
from callguard.simulator import (
    SANDBOX_ACCOUNT_SID,
    SANDBOX_AUTH_TOKEN,
    Behaviour,
    EventSink,
    Faults,
    RunawayPlan,
    RunningSimulator,
    SharedKey,
)
from callguard.telephony.signature import CallbackAuthenticator
from callguard.web.twilio.event_batch import read
from tests.receiver import Received, Receiver, receiving
from tests.simulator.conftest import Connect, Simulate
from tests.waiting import wait_until

SID = SANDBOX_ACCOUNT_SID
QUICK = Behaviour(ring_seconds=0, talk_seconds=0, answered=1, busy=0, no_answer=0, failed=0)
CREATED = "com.twilio.voice.api-request.call.created"
PATH = "/twilio/events"


@pytest.fixture
def sink() -> Iterator[Receiver]:
    with receiving(200) as receiver:
        yield receiver


def creations(url: str, **options: Any) -> EventSink:
    """A sink that hears of created calls only: an account's first call is dialled at once."""
    return EventSink(url, types=frozenset({CREATED}), **options)


def is_valid(batch: Received, sink: Receiver, secret: str = SANDBOX_AUTH_TOKEN) -> bool:
    algorithm = get_signature_algorithm(batch.headers.get("X-Twilio-Webhooks-Signature-Settings"))
    signature = batch.headers["X-Twilio-Signature"]
    validator = RequestValidator(secret)
    return bool(validator.validate(sink.url + batch.target, batch.body.decode(), signature, algorithm))


def run_away(simulator: RunningSimulator, calls: int) -> None:
    simulator.start_runaway(SID, RunawayPlan(calls))


def settled(simulator: RunningSimulator) -> Any:
    """Wait until nothing is under way, and return the counts."""

    def counts() -> Any:
        return simulator.account(SID).events

    wait_until(lambda: simulator.account(SID).runaway.running is False and counts().pending == 0)
    return counts()


def test_a_call_by_rest_tells_of_its_creation_with_twilios_answer(
    simulate: Simulate, connect: Connect, sink: Receiver
) -> None:
    simulator = simulate(event_sink=EventSink(sink.url + PATH), cps=0.05)
    calls = connect(simulator).calls
    first = calls.create(to="+15005550006", from_="+15005550001", twiml="<Response/>")
    second = calls.create(to="+15005550007", from_="+15005550001", twiml="<Response/>")

    wait_until(lambda: len(sink.of_type("created")) == 2)

    event = next(one for one in sink.events if one["data"]["sid"] == second.sid)
    assert (event["specversion"], event["type"]) == ("1.0", CREATED)
    assert event["id"] == event["data"]["eventSid"]
    assert event["id"].startswith("VW")
    assert SID not in event["source"]
    assert event["data"]["request"]["parameters"]["From"] == "+15005550001"
    assert event["data"]["response"]["responseCode"] == 201
    answer = json.loads(b64decode(event["data"]["response"]["responseBody"]))
    assert (answer["sid"], answer["account_sid"], answer["status"]) == (second.sid, SID, "queued")
    assert int(answer["queue_time"]) > 0
    assert answer["to"] == "+15005550007"
    assert {one["data"]["sid"] for one in sink.of_type("created")} == {first.sid, second.sid}


def test_a_call_without_callbacks_tells_of_its_whole_life(simulate: Simulate, sink: Receiver) -> None:
    simulator = simulate(event_sink=EventSink(sink.url + PATH), cps=1000, behaviour=QUICK)

    run_away(simulator, 1)

    wait_until(lambda: sink.of_type(".call.completed"))
    assert [one["type"].rpartition(".")[2] for one in sink.events] == [
        "created",
        "initiated",
        "ringing",
        "answered",
        "completed",
    ]
    words = [one["data"]["request"]["parameters"].get("CallStatus") for one in sink.events]
    assert words == [None, "initiated", "ringing", "in-progress", "completed"]
    assert simulator.account(SID).callbacks.sent == 0


def test_a_sink_gets_only_what_it_has_subscribed_to(simulate: Simulate, sink: Receiver) -> None:
    simulator = simulate(event_sink=creations(sink.url), cps=1000, behaviour=QUICK)

    run_away(simulator, 20)

    wait_until(lambda: simulator.account(SID).dialled == 20)
    assert settled(simulator).sent == 20
    assert {one["type"] for one in sink.events} == {CREATED}


@pytest.mark.parametrize("path", [PATH, PATH + "?x=1&y=%C3%A9", ""])
def test_batches_are_signed_over_the_address_and_the_bodys_hash(
    simulate: Simulate, sink: Receiver, path: str
) -> None:
    simulator = simulate(event_sink=creations(sink.url + path, batch_size=7), cps=0.05)

    run_away(simulator, 50)

    assert settled(simulator).sent == 50
    assert len(sink.requests) >= 8
    assert max(len(batch.events) for batch in sink.requests) <= 7
    assert all(batch.target.startswith(path or "/") for batch in sink.requests)
    assert all(is_valid(batch, sink) for batch in sink.requests)
    assert not is_valid(sink.requests[0], sink, "another token")
    assert {batch.headers["Content-Type"] for batch in sink.requests} == {"application/json; charset=utf-8"}


def test_a_shared_key_signs_in_the_tokens_place(simulate: Simulate, sink: Receiver) -> None:
    simulator = simulate(event_sink=EventSink(sink.url + PATH), shared_key=SharedKey("key", "secret"))

    run_away(simulator, 1)

    wait_until(lambda: sink.requests)
    assert is_valid(sink.requests[0], sink, "secret")


def test_a_batch_that_is_refused_comes_again(simulate: Simulate, sink: Receiver) -> None:
    sink.answers = [503, 400]
    simulator = simulate(event_sink=creations(sink.url + PATH, retry_seconds=0.01), cps=0.05)

    run_away(simulator, 3)

    assert settled(simulator).sent == 3
    assert len({batch.body for batch in sink.requests[:3]}) == 1
    assert len({one["id"] for one in sink.events}) == 3


def test_a_sink_that_always_refuses_is_given_up(simulate: Simulate, sink: Receiver) -> None:
    sink.usual = 500
    simulator = simulate(event_sink=creations(sink.url, attempts=3, retry_seconds=0.01), cps=0.05)

    run_away(simulator, 1)

    counts = settled(simulator)
    assert (counts.sent, counts.failed, len(sink.requests)) == (0, 1, 3)


def test_what_a_slow_sink_leaves_waiting_is_bounded(simulate: Simulate, sink: Receiver) -> None:
    sink.usual = 500
    slow = creations(sink.url, batch_size=10, attempts=2, retry_seconds=0.5, most_waiting=40)
    simulator = simulate(event_sink=slow, cps=0.05)

    run_away(simulator, 1000)

    wait_until(lambda: simulator.account(SID).created == 1000)
    counts = simulator.account(SID).events
    assert counts is not None
    assert counts.pending <= 40
    assert counts.dropped >= 900


def test_events_are_late_by_the_sinks_latency(simulate: Simulate, sink: Receiver) -> None:
    simulator = simulate(event_sink=creations(sink.url, latency=0.5), cps=0.05)
    started = time.monotonic()

    run_away(simulator, 5)

    wait_until(lambda: sink.requests)
    assert time.monotonic() - started >= 0.5
    assert settled(simulator).sent == 5


def test_duplicates_and_disorder_come_on_request(simulate: Simulate, sink: Receiver) -> None:
    faults = Faults(callback_duplicate_rate=1, callback_disorder_rate=0.5, callback_disorder_seconds=0.3)
    simulator = simulate(event_sink=creations(sink.url, batch_size=5), faults=faults, cps=0.05)

    run_away(simulator, 100)

    assert settled(simulator).sent == 200
    assert set(Counter(one["id"] for one in sink.events).values()) == {2}
    order = list(dict.fromkeys(one["data"]["sid"] for one in sink.events))
    assert order != list(simulator.statuses(SID))
    assert sorted(order) == sorted(simulator.statuses(SID))


def test_drops_come_on_request(simulate: Simulate, sink: Receiver) -> None:
    simulator = simulate(event_sink=creations(sink.url), faults=Faults(callback_drop_rate=1), cps=0.05)

    run_away(simulator, 10)

    wait_until(lambda: simulator.account(SID).created == 10)
    assert settled(simulator).dropped == 10
    assert not sink.requests


def test_without_a_sink_nothing_is_streamed(simulate: Simulate) -> None:
    assert simulate().account(SID).events is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"url": ""},
        {"url": "ftp://h/"},
        {"url": "https:///x"},
        {"url": "https://h/#rc=2"},
        {"url": "https://h:0/"},
        {"url": "https://h:99999/"},
        {"types": frozenset({"com.twilio.voice"})},
        {"batch_size": 0},
        {"batch_seconds": 0},
        {"attempts": 0},
        {"latency": -1},
        {"retry_seconds": -1},
        {"most_waiting": 0},
    ],
)
def test_a_sink_that_could_not_be_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"sink|event types|must be|Port"):
        EventSink(**{"url": "https://h/", **wrong})


def test_the_guard_verifies_and_reads_all_of_it(simulate: Simulate, sink: Receiver) -> None:
    simulator = simulate(event_sink=EventSink(sink.url + PATH, batch_size=50), cps=1000, behaviour=QUICK)
    run_away(simulator, 100)
    wait_until(lambda: simulator.account(SID).statuses["completed"] == 100)
    settled(simulator)

    account = Account(SID, (SANDBOX_AUTH_TOKEN,))
    authenticator = CallbackAuthenticator(sink.url, {SID: account})
    news: list[CallEvent] = []
    for batch in sink.requests:
        query = batch.target.partition("?")[2]
        assert authenticator.verify_json(query, batch.body, Headers(batch.headers)) == SID
        reading = read(batch.body, account, int(time.time() * 1000))
        assert (reading.malformed, reading.ignored) == ([], [])
        news += reading.news

    assert Counter(one.status for one in news) == dict.fromkeys(
        (
            CallStatus.QUEUED,
            CallStatus.INITIATED,
            CallStatus.RINGING,
            CallStatus.IN_PROGRESS,
            CallStatus.COMPLETED,
        ),
        100,
    )
    assert all(one.sender and one.destination for one in news)
    assert all(one.queue_ms is not None for one in news if one.status is CallStatus.QUEUED)
