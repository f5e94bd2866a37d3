"""Fixtures for every test: a private server, and what is built on it."""

import signal
import time
from dataclasses import dataclass

import pytest
from hypothesis import settings

from callguard.store.call_tracker import RedisCallTracker
from callguard.store.campaigns import RedisCampaigns
from callguard.store.connection import connect
from callguard.store.incidents import RedisIncidentStore
from callguard.store.live_calls import RedisHoldQueueSizes, RedisLiveCallStore
from callguard.store.presence import RedisHeartbeats, RedisPollLease
from callguard.store.readings import RedisReadings
from callguard.store.reports import RedisReports
from callguard.store.script_connections import ScriptConnections
from callguard.store.scripts import Scripts
from tests.examples import EXAMPLES
from tests.frozen_clock import FrozenClock
from tests.valkey import pytest_addoption, pytest_collection_modifyitems, redis_server, redis_url

__all__ = ["pytest_addoption", "pytest_collection_modifyitems", "redis_server", "redis_url"]

ACCOUNT_SID = "AC" + "0" * 31 + "1"


settings.register_profile("fast", max_examples=EXAMPLES)
settings.register_profile("full", max_examples=100)
settings.load_profile("fast")


def pytest_configure() -> None:
    """Let the programs that tests start heed Ctrl-C, also where the run was begun by `&` or `nohup`.

    A signal that is ignored stays ignored in a child; one that has a handler does not.
    """
    for number, handler in ((signal.SIGINT, signal.default_int_handler), (signal.SIGHUP, lambda *_: None)):
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, handler)


@dataclass(frozen=True)
class Store:
    """The store on a private server."""

    tracker: RedisCallTracker
    incidents: RedisIncidentStore
    readings: RedisReadings
    heartbeats: RedisHeartbeats
    poll_lease: RedisPollLease
    campaigns: RedisCampaigns
    live_calls: RedisLiveCallStore
    hold_queue_sizes: RedisHoldQueueSizes
    reports: RedisReports


@pytest.fixture(autouse=True)
def own_data_dir(monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory) -> None:
    """What one test's guard remembers in its data directory is nothing to another's."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path_factory.mktemp("state")))


@pytest.fixture
def clock() -> FrozenClock:
    """A clock that starts at the present, so that expiries are in the future."""
    return FrozenClock(time.time_ns() // 1_000_000)


@pytest.fixture
def store(redis_url: str) -> Store:
    """The whole store on an empty server."""
    return build_store(redis_url)


def build_store(url: str, *, patience: float = 5.0) -> Store:
    """Return the store on the server at `url`."""
    connection = connect(url, timeout=patience)
    scripts = Scripts(ScriptConnections(connect(url, timeout=patience)))
    tracker = RedisCallTracker(connection, scripts)
    return Store(
        tracker,
        RedisIncidentStore(connection, scripts),
        RedisReadings(scripts, tracker),
        RedisHeartbeats(connection),
        RedisPollLease(scripts),
        RedisCampaigns(connection, scripts),
        RedisLiveCallStore(connection, scripts),
        RedisHoldQueueSizes(connection),
        RedisReports(connection, scripts),
    )
