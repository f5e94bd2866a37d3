"""A simulated Twilio, a guard's two endpoints and a client between them."""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any, TypeAlias

import pytest
from twilio.rest import Client

from callguard.client import GuardedHttpClient
from callguard.client.lines import close_lines
from callguard.simulator import (
    SANDBOX_ACCOUNT_SID,
    SANDBOX_AUTH_TOKEN,
    AccountConfig,
    RunningSimulator,
    SimulatorConfig,
    running,
)
from tests.client.guard_server import KEY, GuardServer, guard_server

SID = SANDBOX_ACCOUNT_SID
Connect: TypeAlias = Callable[..., Client]


@pytest.fixture(autouse=True)
def _no_background_left(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("CALLGUARD_URL", "CALLGUARD_CLIENT_KEY", "TWILIO_EDGE", "TWILIO_REGION"):
        monkeypatch.delenv(name, raising=False)
    yield
    close_lines(0.0)


@pytest.fixture(scope="module")
def twilio() -> Iterator[RunningSimulator]:
    account = AccountConfig(cps=5, latency=0.001, ceiling=200)
    with running(SimulatorConfig(accounts=(account,))) as simulator:
        yield simulator


@pytest.fixture
def guard() -> Iterator[GuardServer]:
    with guard_server() as server:
        yield server


def connect_to(twilio: RunningSimulator, guard_url: str, **options: Any) -> Client:
    """Build the twilio library's client as the README does, against the simulated Twilio."""
    client = Client(SID, SANDBOX_AUTH_TOKEN, http_client=GuardedHttpClient(guard_url, KEY, **options))
    client.api.base_url = twilio.url
    return client


@pytest.fixture
def connect(twilio: RunningSimulator) -> Connect:
    return partial(connect_to, twilio)


def create(client: Client, to: str = "+15005550001") -> Any:
    """Create one call."""
    return client.calls.create(to=to, from_="+15005550006", url="http://example.com/voice.xml")
