"""Fixtures: the API on a private server."""

import pytest

from tests.conftest import FrozenClock, Store
from tests.web.api.served import Services, serve


@pytest.fixture
def services(store: Store, clock: FrozenClock) -> Services:
    """The API's services on an empty store, with a key for each role."""
    return serve(store, clock)
