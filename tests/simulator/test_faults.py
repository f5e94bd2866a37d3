"""Each misfortune that can be asked for, one at a time."""

import pytest
import requests
from twilio.base.exceptions import TwilioRestException

from callguard.simulator import (
    SANDBOX_ACCOUNT_SID,
    SANDBOX_AUTH_TOKEN,
    Behaviour,
    CallEvent,
    Faults,
    RunawayPlan,
    RunningSimulator,
    StatusCallback,
)
from tests.calls import create_calls
from tests.receiver import Receiver
from tests.simulator.conftest import Connect, Simulate
from tests.waiting import wait_until

SID = SANDBOX_ACCOUNT_SID
QUICK = Behaviour(ring_seconds=0, talk_seconds=0, answered=1, busy=0, no_answer=0, failed=0)
WORDS = ["initiated", "ringing", "in-progress", "completed"]


def queued_call(simulator: RunningSimulator) -> str:
    create_calls(simulator, SID, 2)
    return list(simulator.statuses(SID))[1]


def test_an_error_refuses_and_does_nothing(simulate: Simulate, connect: Connect) -> None:
    simulator = simulate(cps=0.01, faults=Faults(error_rate=1))
    sid = queued_call(simulator)

    with pytest.raises(TwilioRestException) as refused:
        connect(simulator).calls(sid).update(status="canceled")

    assert refused.value.status in (500, 503)
    assert simulator.statuses(SID)[sid] == "queued"
    record = simulator.updates(SID)[0]
    assert (record.fault, record.http, record.result_status) == ("error", refused.value.status, None)
    assert simulator.account(SID).requests.errors == 1


def test_a_throttled_request_does_nothing_and_tells_when_to_come_again(
    simulate: Simulate, connect: Connect
) -> None:
    simulator = simulate(cps=0.01, faults=Faults(throttle_rate=1, retry_after_seconds=2))
    sid = queued_call(simulator)

    with pytest.raises(TwilioRestException) as refused:
        connect(simulator).calls(sid).update(status="canceled")
    url = f"{simulator.url}/2010-04-01/Accounts/{SID}/Calls.json"
    listed = requests.get(url, auth=(SID, SANDBOX_AUTH_TOKEN), timeout=20)

    assert (refused.value.status, refused.value.code) == (429, 20429)
    assert (listed.status_code, listed.headers["Retry-After"]) == (429, "2")
    assert simulator.statuses(SID)[sid] == "queued"
    assert simulator.account(SID).requests.throttled == 2


def test_a_lost_reply_has_done_its_work(simulate: Simulate, connect: Connect) -> None:
    simulator = simulate(cps=0.01, faults=Faults(lost_reply_rate=1))
    sid = queued_call(simulator)

    with pytest.raises(requests.ConnectionError):
        connect(simulator).calls(sid).update(status="canceled")

    assert simulator.statuses(SID)[sid] == "canceled"
    record = simulator.updates(SID)[0]
    assert (record.fault, record.http, record.result_status) == ("lost_reply", 0, "canceled")
    assert simulator.account(SID).requests.lost_replies == 1


def test_a_hanging_request_does_nothing(simulate: Simulate, connect: Connect) -> None:
    simulator = simulate(cps=0.01, faults=Faults(hang_rate=1, hang_seconds=0.05))
    sid = queued_call(simulator)

    with pytest.raises(requests.ConnectionError):
        connect(simulator).calls(sid).update(status="canceled")

    assert simulator.statuses(SID)[sid] == "queued"
    assert simulator.updates(SID)[0].fault == "hang"
    assert simulator.account(SID).requests.hangs == 1


def test_faults_come_at_their_rate_and_can_be_ended(simulate: Simulate, connect: Connect) -> None:
    simulator = simulate(cps=0.01, faults=Faults(error_rate=0.5))
    sid, client, refused = queued_call(simulator), connect(simulator), 0

    for _ in range(100):
        try:
            client.calls(sid).fetch()
        except TwilioRestException:
            refused += 1
    simulator.change_faults(SID, error_rate=0)

    assert 25 < refused < 75
    assert [client.calls(sid).fetch().status for _ in range(20)] == ["queued"] * 20


def run_calls(simulator: RunningSimulator, receiver: Receiver, calls: int) -> None:
    callback = StatusCallback(receiver.url, events=frozenset(CallEvent))
    simulator.start_runaway(SID, RunawayPlan(calls, callback=callback))
    wait_until(lambda: simulator.account(SID).statuses["completed"] == calls)
    wait_until(lambda: simulator.account(SID).callbacks.pending == 0)


def test_callbacks_arrive_in_order_without_faults(simulate: Simulate, receiver: Receiver) -> None:
    simulator = simulate(cps=1000, behaviour=QUICK)

    run_calls(simulator, receiver, 50)

    assert all(receiver.statuses_of(sid) == WORDS for sid in simulator.statuses(SID))


def test_duplicates_come_twice(simulate: Simulate, receiver: Receiver) -> None:
    simulator = simulate(cps=1000, behaviour=QUICK, faults=Faults(callback_duplicate_rate=1))

    run_calls(simulator, receiver, 5)

    twice = [word for word in WORDS for _ in range(2)]
    assert all(receiver.statuses_of(sid) == twice for sid in simulator.statuses(SID))


def test_disorder_mixes_a_calls_callbacks(simulate: Simulate, receiver: Receiver) -> None:
    faults = Faults(callback_disorder_rate=1, callback_disorder_seconds=0.2)
    simulator = simulate(cps=1000, behaviour=QUICK, faults=faults)

    run_calls(simulator, receiver, 20)

    orders = [receiver.statuses_of(sid) for sid in simulator.statuses(SID)]
    assert all(sorted(order) == sorted(WORDS) for order in orders)
    assert any(order != WORDS for order in orders)


def test_dropped_callbacks_never_come(simulate: Simulate, receiver: Receiver) -> None:
    simulator = simulate(cps=1000, behaviour=QUICK, faults=Faults(callback_drop_rate=0.5))

    run_calls(simulator, receiver, 25)

    counts = simulator.account(SID).callbacks
    assert counts.sent + counts.dropped == 100
    assert counts.sent == len(receiver.requests)
    assert 20 < counts.dropped < 80


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("error_rate", 1.1),
        ("error_rate", float("nan")),
        ("callback_drop_rate", -0.1),
        ("hang_seconds", -0.1),
        ("hang_seconds", float("nan")),
    ],
)
def test_impossible_faults_are_refused(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=name):
        Faults(**{name: value})
