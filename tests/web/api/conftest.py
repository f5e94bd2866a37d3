"""Fixtures: the API on a private server."""

from typing import Any

import pytest

from tests.conftest import Store
from tests.frozen_clock import FrozenClock
from tests.web.api.served import Services, serve


@pytest.fixture
def services(store: Store, clock: FrozenClock) -> Services:
    """The API's services on an empty store, with a key for each role."""
    return serve(store, clock)


@pytest.fixture
def document(services: Services) -> dict[str, Any]:
    answer = services.client(None).get("/api/openapi.json")
    assert answer.status_code == 200
    described: dict[str, Any] = answer.json
    return described
