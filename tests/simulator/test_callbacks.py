"""Status callbacks as they arrive at a receiver, checked with the twilio library's validator."""

import socket
from typing import Any

import pytest
from twilio.request_validator import RequestValidator, get_signature_algorithm

from callguard.simulator import (
    SANDBOX_ACCOUNT_SID,
    SANDBOX_AUTH_TOKEN,
    Behaviour,
    RunningSimulator,
    SharedKey,
)
from tests.receiver import Received, Receiver
from tests.simulator.conftest import Connect, Simulate
from tests.waiting import wait_until

SID = SANDBOX_ACCOUNT_SID
QUICK = Behaviour(ring_seconds=0, talk_seconds=0, answered=1, busy=0, no_answer=0, failed=0)
ALL = ["initiated", "ringing", "answered", "completed"]


def place_call(simulator: RunningSimulator, connect: Connect, callback: str, **options: Any) -> str:
    create = {"to": "+15005550006", "from_": "client:añna", "twiml": "<Response/>"}
    call = connect(simulator).calls.create(**create, status_callback=callback, **options)
    return call.sid or ""


def is_valid(request: Received, receiver: Receiver, secret: str = SANDBOX_AUTH_TOKEN) -> bool:
    params = request.fields if request.method == "POST" else {}
    algorithm = get_signature_algorithm(request.headers.get("X-Twilio-Webhooks-Signature-Settings"))
    signature = request.headers["X-Twilio-Signature"]
    validator = RequestValidator(secret)
    return bool(validator.validate(receiver.url + request.target, params, signature, algorithm))


def all_settled(simulator: RunningSimulator, callbacks: int) -> bool:
    counts = simulator.account(SID).callbacks
    return counts.sent + counts.failed + counts.dropped == callbacks and counts.pending == 0


@pytest.mark.parametrize("method", ["POST", "GET"])
@pytest.mark.parametrize("path", ["/status", "/status?a=1&b=%C3%A9#rc=2&rp=all", ""])
def test_all_four_events_arrive_signed_and_in_order(
    simulate: Simulate, connect: Connect, receiver: Receiver, method: str, path: str
) -> None:
    simulator = simulate(behaviour=QUICK)

    sid = place_call(
        simulator, connect, receiver.url + path, status_callback_event=ALL, status_callback_method=method
    )

    wait_until(lambda: len(receiver.requests) == 4)
    assert receiver.statuses_of(sid) == ["initiated", "ringing", "in-progress", "completed"]
    assert [request.fields["SequenceNumber"] for request in receiver.requests] == ["0", "1", "2", "3"]
    assert all(is_valid(request, receiver) for request in receiver.requests)
    assert {request.method for request in receiver.requests} == {method}
    assert not is_valid(receiver.requests[0], receiver, "another token")
    wait_until(lambda: all_settled(simulator, 4))


def test_a_callback_says_what_twilio_says(simulate: Simulate, connect: Connect, receiver: Receiver) -> None:
    simulator = simulate(behaviour=QUICK)

    sid = place_call(simulator, connect, receiver.url)

    wait_until(lambda: receiver.requests)
    request = receiver.requests[0]
    timestamp = request.fields.pop("Timestamp")
    assert timestamp.endswith(" +0000")
    assert request.fields == {
        "AccountSid": SID,
        "CallSid": sid,
        "CallStatus": "completed",
        "From": "client:añna",
        "To": "+15005550006",
        "Caller": "client:añna",
        "Called": "+15005550006",
        "Direction": "outbound-api",
        "ApiVersion": "2010-04-01",
        "CallbackSource": "call-progress-events",
        "SequenceNumber": "0",
        "Duration": "0",
        "CallDuration": "0",
        "SipResponseCode": "200",
        **{
            f"{who}{what}": ""
            for who in ("Caller", "Called", "From", "To")
            for what in ("City", "State", "Zip", "Country")
        },
    }
    assert request.headers["I-Twilio-Idempotency-Token"]


def test_a_call_cancelled_in_the_queue_tells_so(simulate: Simulate, connect: Connect, receiver: Receiver) -> None:
    simulator = simulate(cps=0.01)
    place_call(simulator, connect, receiver.url)

    sid = place_call(simulator, connect, receiver.url)
    connect(simulator).calls(sid).update(status="canceled")

    wait_until(lambda: receiver.statuses_of(sid) == ["canceled"])
    assert receiver.requests[0].fields["SipResponseCode"] == "487"


def test_a_shared_key_signs_with_sha256(simulate: Simulate, connect: Connect, receiver: Receiver) -> None:
    simulator = simulate(behaviour=QUICK, shared_key=SharedKey("webhooks_sharedkey_1", "secret"))

    place_call(simulator, connect, receiver.url)

    wait_until(lambda: receiver.requests)
    settings = receiver.requests[0].headers["X-Twilio-Webhooks-Signature-Settings"]
    assert settings == "key=webhooks_sharedkey_1,algorithm=HMAC_SHA256"
    assert is_valid(receiver.requests[0], receiver, "secret")
    assert not is_valid(receiver.requests[0], receiver)


@pytest.mark.parametrize(
    ("fragment", "answers", "attempts", "sent"),
    [
        ("", [500], 1, 0),
        ("", [404], 1, 0),
        ("", [302], 1, 1),
        ("#rc=3&rp=5xx", [500, 503], 3, 1),
        ("#rc=3&rp=5xx", [404], 1, 0),
        ("#rc=2&rp=4xx,5xx", [404, 500, 404, 500], 3, 0),
        ("#rc=1&rp=all", [404], 2, 1),
        ("#rc=0&rp=all", [500], 1, 0),
        ("#rc=9&rp=5xx", [500], 2, 1),
    ],
)
def test_retries_are_those_that_the_url_asks_for(
    simulate: Simulate,
    connect: Connect,
    receiver: Receiver,
    fragment: str,
    answers: list[int],
    attempts: int,
    sent: int,
) -> None:
    simulator = simulate(behaviour=QUICK)
    receiver.answers = answers

    place_call(simulator, connect, f"{receiver.url}/{fragment}")

    wait_until(lambda: all_settled(simulator, 1))
    assert len(receiver.requests) == attempts
    assert simulator.account(SID).callbacks.sent == sent
    assert len({request.headers["I-Twilio-Idempotency-Token"] for request in receiver.requests}) == 1


def test_nobody_at_the_address_is_a_failed_callback(simulate: Simulate, connect: Connect) -> None:
    simulator = simulate(behaviour=QUICK)
    with socket.socket() as reserved:
        reserved.bind(("127.0.0.1", 0))  # bound but not listening: connections are refused

        place_call(simulator, connect, f"http://127.0.0.1:{reserved.getsockname()[1]}/")

        wait_until(lambda: all_settled(simulator, 1))
    assert simulator.account(SID).callbacks.failed == 1


def test_an_unknown_event_costs_all_callbacks(simulate: Simulate, connect: Connect, receiver: Receiver) -> None:
    simulator = simulate(behaviour=QUICK, cps=100)

    place_call(simulator, connect, receiver.url, status_callback_event=["initiated ringing"])
    sid = place_call(simulator, connect, receiver.url)

    wait_until(lambda: all_settled(simulator, 1))
    assert [request.fields["CallSid"] for request in receiver.requests] == [sid]
