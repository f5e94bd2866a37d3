"""Simulators, clients and receivers for the tests of the simulator."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from twilio.http.http_client import TwilioHttpClient
from twilio.rest import Client

from callguard.simulator import AccountConfig, RunningSimulator, SimulatorConfig, running
from tests.receiver import Receiver, receiving

Simulate = Callable[..., RunningSimulator]
Connect = Callable[..., Client]


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    with receiving() as receiver:
        yield receiver


@pytest.fixture
def simulate() -> Iterator[Simulate]:
    """Start a simulator with one account, quick unless told otherwise."""
    with ExitStack() as stack:

        def start(**account: Any) -> RunningSimulator:
            config = AccountConfig(**{"latency": 0.0, **account})
            return stack.enter_context(running(SimulatorConfig(accounts=(config,))))

        yield start


@pytest.fixture
def connect(monkeypatch: pytest.MonkeyPatch) -> Iterator[Connect]:
    """The twilio library, pointed at a simulator."""
    for name in ("TWILIO_EDGE", "TWILIO_REGION"):
        monkeypatch.delenv(name, raising=False)
    clients = []

    def client(simulator: RunningSimulator, account: AccountConfig | None = None) -> Client:
        account = account or AccountConfig()
        http = TwilioHttpClient(timeout=20)
        clients.append(http)
        client = Client(account.sid, account.auth_token, http_client=http)
        client.api.base_url = simulator.url
        return client

    yield client
    for http in clients:
        if http.session is not None:
            http.session.close()
