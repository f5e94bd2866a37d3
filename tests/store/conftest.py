"""The store is what depends on the server: its tests run on both brands."""

from collections.abc import Iterator

import pytest

from tests.valkey import SERVERS, serve


@pytest.fixture(scope="session", params=SERVERS)
def redis_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a server that lives as long as the test session; each brand in turn."""
    yield from serve(request.param)
