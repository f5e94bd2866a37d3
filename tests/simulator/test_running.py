"""Starting and stopping a simulator in a thread."""

import socket
import threading

import pytest
import requests

from callguard.simulator import (
    SANDBOX_ACCOUNT_SID,
    AccountConfig,
    Faults,
    RunawayPlan,
    SimulatorConfig,
    running,
)
from tests.calls import create_calls


def test_a_taken_port_is_told_to_the_caller() -> None:
    with (
        running() as simulator,
        pytest.raises(OSError, match="in use"),
        running(SimulatorConfig(port=simulator.port)),
    ):
        pass

    assert not [thread for thread in threading.enumerate() if thread.name == "simulated-twilio"]


def test_leaving_closes_the_port_amid_traffic() -> None:
    quick = AccountConfig(latency=0, faults=Faults(hang_rate=1))
    with running(SimulatorConfig(accounts=(quick,))) as simulator:
        simulator.start_runaway(SANDBOX_ACCOUNT_SID, RunawayPlan(1_000_000, rate=100))
        path = f"/2010-04-01/Accounts/{quick.sid}/Calls.json"
        with pytest.raises(requests.Timeout):
            requests.get(simulator.url + path, auth=(quick.sid, quick.auth_token), timeout=0.05)

    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", simulator.port))


def test_the_same_seed_gives_the_same_calls() -> None:
    def sids() -> list[str]:
        with running(SimulatorConfig(seed=7)) as simulator:
            create_calls(simulator, SANDBOX_ACCOUNT_SID, 3)
            return list(simulator.statuses(SANDBOX_ACCOUNT_SID))

    assert sids() == sids()


@pytest.mark.parametrize(
    "options",
    [
        {"sid": "AC1"},
        {"auth_token": ""},
        {"cps": 0},
        {"ceiling": 0},
        {"latency": -1},
        {"latency_jitter": 2},
        {"list_lag": -1},
        {"keep_ended": -1},
    ],
)
def test_an_impossible_account_is_refused(options: dict[str, object]) -> None:
    with pytest.raises(ValueError, match=r"."):
        AccountConfig(**options)  # type: ignore[arg-type]  # each is wrong on purpose


def test_accounts_need_their_own_sids() -> None:
    with pytest.raises(ValueError, match="its own SID"):
        SimulatorConfig(accounts=(AccountConfig(), AccountConfig()))
