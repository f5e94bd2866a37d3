"""The ceiling on concurrent requests, latency and the headers that tell of them."""

import pytest
import requests

from callguard.simulator import SANDBOX_ACCOUNT_SID, SANDBOX_AUTH_TOKEN, Faults, RunningSimulator
from tests.simulator.conftest import Simulate

SID = SANDBOX_ACCOUNT_SID


def fetch_list(simulator: RunningSimulator, timeout: float = 20) -> requests.Response:
    url = f"{simulator.url}/2010-04-01/Accounts/{SID}/Calls.json"
    return requests.get(url, auth=(SID, SANDBOX_AUTH_TOKEN), timeout=timeout)


def test_requests_above_the_ceiling_are_refused(simulate: Simulate) -> None:
    simulator = simulate(ceiling=3, faults=Faults(hang_rate=1))
    while simulator.account(SID).in_flight < 3:  # they hang on after their client has left
        with pytest.raises(requests.Timeout):
            fetch_list(simulator, timeout=0.05)

    refused = fetch_list(simulator)
    simulator.change_faults(SID, hang_rate=0)
    still_refused = fetch_list(simulator)
    simulator.change(SID, ceiling=4)
    served = fetch_list(simulator)

    assert (refused.status_code, refused.json()["code"]) == (429, 20429)
    assert refused.headers["Twilio-Concurrent-Requests"] == "4"
    assert (still_refused.status_code, served.status_code) == (429, 200)
    truth = simulator.account(SID)
    assert (truth.requests.throttled, truth.max_concurrent, truth.in_flight) == (2, 4, 3)


def test_requests_of_other_programs_count_too(simulate: Simulate) -> None:
    simulator = simulate(ceiling=3, others=2)

    served = fetch_list(simulator)
    simulator.change(SID, others=3)
    refused = fetch_list(simulator)

    assert (served.status_code, served.headers["Twilio-Concurrent-Requests"]) == (200, "3")
    assert (refused.status_code, refused.headers["Twilio-Concurrent-Requests"]) == (429, "4")


def test_the_load_need_not_be_told(simulate: Simulate) -> None:
    simulator = simulate(tells_concurrency=False)

    assert "Twilio-Concurrent-Requests" not in fetch_list(simulator).headers


def test_every_reply_tells_its_load_time_and_id(simulate: Simulate) -> None:
    simulator = simulate(latency=0.02, latency_jitter=0.5)

    first, second = fetch_list(simulator), fetch_list(simulator)

    assert first.headers["Twilio-Concurrent-Requests"] == "1"
    assert float(first.headers["Twilio-Request-Duration"]) >= 0.01
    assert first.headers["Twilio-Request-Id"].startswith("RQ")
    assert first.headers["Twilio-Request-Id"] != second.headers["Twilio-Request-Id"]
