"""The surface under `/simulator/`: truth, knobs, runaways, the log of updates."""

from typing import Any

import pytest
import requests

from callguard.simulator import SANDBOX_ACCOUNT_SID, RunningSimulator
from tests.calls import create_calls
from tests.receiver import Receiver
from tests.simulator.conftest import Connect, Simulate
from tests.waiting import wait_until

SID = SANDBOX_ACCOUNT_SID


def ask(simulator: RunningSimulator, method: str, path: str, body: Any = None) -> requests.Response:
    url = f"{simulator.url}/simulator/accounts{path}"
    return requests.request(method, url, json=body, timeout=10)


def test_truth_is_told_alike_to_http_and_to_threads(simulate: Simulate) -> None:
    simulator = simulate(cps=0.01)
    create_calls(simulator, SID, 10)

    told = ask(simulator, "GET", f"/{SID}").json()

    truth = simulator.account(SID)
    assert (
        (told["queued"], told["dialled"], told["phantom_slots"]) == (truth.queued, truth.dialled, 0) == (9, 1, 0)
    )
    assert 800 < told["drain_seconds"] <= 1000
    assert told["runaway"] == {"running": False, "asked": 10, "created": 10, "rejected": 0}
    assert set(told["callbacks"]) == {"sent", "failed", "dropped", "pending"}
    assert [account["sid"] for account in ask(simulator, "GET", "").json()] == [SID]


def test_knobs_turn_live(simulate: Simulate) -> None:
    simulator = simulate(cps=0.01)
    create_calls(simulator, SID, 50)

    told = ask(simulator, "PATCH", f"/{SID}", {"cps": 500, "ceiling": 7, "faults": {"error_rate": 0.5}})

    assert (told.status_code, told.json()["cps"], told.json()["ceiling"]) == (200, 500, 7)
    wait_until(lambda: simulator.account(SID).dialled == 50)


@pytest.mark.parametrize(
    "body",
    [
        {"cps": 0},
        {"cps": "fast"},
        {"ceiling": 0},
        {"latency": -1},
        {"faults": {"error_rate": 2}},
        {"faults": {"nonsense": 0}},
        {"faults": 3},
        {"nonsense": 1},
        [],
    ],
)
def test_a_wrong_turn_is_refused_and_changes_nothing(simulate: Simulate, body: Any) -> None:
    simulator = simulate()
    before = simulator.account(SID)

    if isinstance(body, dict):
        body = {"latency": 3.0, **body}
    reply = ask(simulator, "PATCH", f"/{SID}", body)

    assert reply.status_code == 400
    assert reply.json()["error"]
    assert simulator.account(SID).latency == before.latency


def test_a_runaway_runs_at_its_rate_until_stopped(simulate: Simulate, receiver: Receiver) -> None:
    simulator = simulate(cps=5)
    body = {
        "calls": 100_000,
        "rate": 200,
        "from": "+15005550001",
        "to": "+15005550006",
        "status_callback": receiver.url,
        "status_callback_events": ["initiated"],
    }

    reply = ask(simulator, "POST", f"/{SID}/runaway", body)

    assert reply.status_code == 202
    assert reply.json()["created"] < 100
    wait_until(lambda: simulator.account(SID).created >= 20)
    wait_until(lambda: receiver.requests)
    assert receiver.requests[0].fields["From"] == "+15005550001"
    assert receiver.requests[0].status == "initiated"
    stopped = ask(simulator, "POST", f"/{SID}/runaway/stop").json()
    assert not stopped["runaway"]["running"]
    assert stopped["created"] < 100_000
    assert simulator.account(SID).created == stopped["created"]


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"calls": -1},
        {"calls": 1, "nonsense": 1},
        {"calls": 1, "status_callback": "nonsense"},
        {"calls": "many"},
    ],
)
def test_an_unclear_runaway_is_refused(simulate: Simulate, body: Any) -> None:
    simulator = simulate()

    assert ask(simulator, "POST", f"/{SID}/runaway", body).status_code == 400
    assert simulator.account(SID).created == 0


def test_the_log_tells_each_update_once(simulate: Simulate, connect: Connect) -> None:
    simulator = simulate(cps=0.01)
    create_calls(simulator, SID, 4)
    sids, client = list(simulator.statuses(SID)), connect(simulator)
    for sid in sids[1:]:
        client.calls(sid).update(status="canceled")

    everything = ask(simulator, "GET", f"/{SID}/log").json()
    later = ask(simulator, "GET", f"/{SID}/log?since=2").json()

    assert everything["last"] == later["last"] == 3
    assert [update["sid"] for update in everything["updates"]] == sids[1:]
    assert later["updates"] == everything["updates"][2:]
    first = everything["updates"][0]
    assert first.pop("at") > 1_700_000_000
    assert first == {
        "number": 1,
        "sid": sids[1],
        "status_sent": "canceled",
        "redirect": False,
        "previous_status": "queued",
        "result_status": "canceled",
        "http": 200,
        "fault": None,
    }


@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/AC0"), ("POST", f"/{SID}"), ("GET", f"/{SID}/runaway"), ("DELETE", "")]
)
def test_what_is_not_there_is_not_found(simulate: Simulate, method: str, path: str) -> None:
    assert ask(simulate(), method, path).status_code == 404
