"""Creating, reading and cancelling calls with the real twilio library."""

from base64 import b64encode

import pytest
import requests
from twilio.base.exceptions import TwilioException, TwilioRestException

from callguard.simulator import (
    SANDBOX_ACCOUNT_SID,
    AccountConfig,
    Behaviour,
    RunawayPlan,
    RunningSimulator,
    SimulatorConfig,
    running,
)
from tests.simulator.conftest import Connect, Simulate
from tests.waiting import wait_until

SID = SANDBOX_ACCOUNT_SID
CREATE = {"to": "+15005550006", "from_": "+15005550001", "url": "http://twiml.example/"}
CALLS = f"/2010-04-01/Accounts/{SID}/Calls.json"


def run_away(simulator: RunningSimulator, calls: int) -> None:
    simulator.start_runaway(SID, RunawayPlan(calls))
    wait_until(lambda: simulator.account(SID).runaway.created == calls)


def test_a_new_call_is_queued_with_its_wait(simulate: Simulate, connect: Connect) -> None:
    simulator = simulate(cps=0.01)
    client = connect(simulator)

    first, second = client.calls.create(**CREATE), client.calls.create(**CREATE)

    assert (first.status, first.queue_time, first.start_time) == ("queued", "0", None)
    assert 80_000 < int(second.queue_time or 0) <= 100_000
    assert (second.to, second._from, second.direction) == ("+15005550006", "+15005550001", "outbound-api")
    assert client.calls(second.sid or "").fetch().status == "queued"
    wait_until(lambda: client.calls(first.sid or "").fetch().status == "ringing")
    assert client.calls(first.sid or "").fetch().start_time is not None


def test_lists_are_paged_by_the_library(simulate: Simulate, connect: Connect) -> None:
    simulator = simulate(cps=0.05)
    run_away(simulator, 2500)
    client = connect(simulator)

    queued = client.calls.list(status="queued", page_size=1000)

    assert len({call.sid for call in queued}) == len(queued) == 2499
    assert simulator.account(SID).requests.lists == 3
    assert len(client.calls.list(limit=5000)) == 2500
    assert [call.status for call in client.calls.list(status="ringing")] == ["ringing"]


def test_slots_outlive_a_mass_cancel(simulate: Simulate, connect: Connect) -> None:
    simulator = simulate(cps=0.01)
    run_away(simulator, 300)
    client = connect(simulator)

    for call in client.calls.list(status="queued"):
        client.calls(call.sid or "").update(status="canceled")
    late = client.calls.create(**CREATE)

    truth = simulator.account(SID)
    assert (truth.queued, truth.phantom_slots, truth.cancelled, truth.dialled) == (1, 299, 299, 1)
    assert 29_900_000 < int(late.queue_time or 0) <= 30_000_000
    assert 30_000 < truth.drain_seconds <= 30_100


def test_calls_are_dialled_at_calls_per_second(simulate: Simulate) -> None:
    simulator = simulate(cps=200, behaviour=Behaviour(ring_seconds=0, talk_seconds=0))

    run_away(simulator, 100)

    wait_until(lambda: simulator.account(SID).dialled == 100)
    wait_until(lambda: simulator.account(SID).queued == 0)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"To": ""}, 21201),
        ({"From": ""}, 21213),
        ({"Url": ""}, 21205),
        ({"To": "nonsense"}, 21211),
        ({"From": "nonsense"}, 21212),
        ({"StatusCallback": "nonsense"}, 21609),
        ({"StatusCallback": "http://[::1"}, 21609),
        ({"StatusCallback": "http://receiver.example:99999"}, 21609),
        ({"StatusCallback": "http://receiver.example", "StatusCallbackMethod": "PUT"}, 20001),
    ],
)
def test_an_incomplete_call_is_refused(simulate: Simulate, change: dict[str, str], code: int) -> None:
    simulator = simulate()
    form = {"To": "+15005550006", "From": "+15005550001", "Url": "http://twiml.example/"} | change

    reply = requests.post(simulator.url + CALLS, data=form, auth=(SID, AccountConfig().auth_token), timeout=10)

    assert (reply.status_code, reply.json()["code"]) == (400, code)
    assert simulator.account(SID).created == 0


def test_a_full_queue_refuses_calls(simulate: Simulate, connect: Connect) -> None:
    simulator = simulate(cps=0.001)
    simulator.start_runaway(SID, RunawayPlan(100))
    wait_until(lambda: not simulator.account(SID).runaway.running)

    with pytest.raises(TwilioRestException) as full:
        connect(simulator).calls.create(**CREATE)

    assert (full.value.status, full.value.code) == (400, 22005)
    assert simulator.account(SID).runaway.rejected > 0


@pytest.mark.parametrize(
    "credentials",
    ["", "Basic nonsense", "Basic " + b64encode(f"{SID}:wrong".encode()).decode()],
)
def test_wrong_credentials_are_refused(simulate: Simulate, credentials: str) -> None:
    reply = requests.get(simulate().url + CALLS, headers={"Authorization": credentials}, timeout=10)

    assert (reply.status_code, reply.json()["code"]) == (401, 20003)


def test_accounts_are_apart_and_a_parent_may_enter(connect: Connect) -> None:
    parent = AccountConfig("AC" + "1" * 32, "parent", latency=0)
    child = AccountConfig("AC" + "2" * 32, "child", latency=0, parent_sid=parent.sid)
    with running(SimulatorConfig(accounts=(parent, child))) as simulator:
        connect(simulator, child).calls.create(**CREATE)

        assert connect(simulator, parent).calls.list() == []
        assert len(connect(simulator, parent).api.accounts(child.sid).calls.list()) == 1
        with pytest.raises(TwilioException):
            connect(simulator, child).api.accounts(parent.sid).calls.list()


@pytest.mark.parametrize(
    ("method", "path", "http", "code"),
    [
        ("DELETE", CALLS, 405, 20004),
        ("GET", f"/2010-04-01/Accounts/{SID}/Messages.json", 404, 20404),
        ("GET", CALLS + "?Page=1", 400, 70002),
        ("GET", f"/2010-04-01/Accounts/{SID}/Calls/nonsense.json", 404, 20404),
    ],
)
def test_what_is_not_there_is_refused(simulate: Simulate, method: str, path: str, http: int, code: int) -> None:
    auth = (SID, AccountConfig().auth_token)

    reply = requests.request(method, simulate().url + path, auth=auth, timeout=10)

    assert (reply.status_code, reply.json()["code"]) == (http, code)
