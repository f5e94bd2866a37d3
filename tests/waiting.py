"""Waiting for what must come, without sleeping for luck."""

import time
from collections.abc import Callable

import pytest

_LOOK_SECONDS = 0.01


def wait_until(
    predicate: Callable[[], object], description: str = "what was waited for", timeout: float = 10.0
) -> None:
    """Return as soon as `predicate` is true; fail the test with `description` if it never is."""
    deadline = time.monotonic() + timeout
    while not predicate():
        if time.monotonic() >= deadline:
            pytest.fail(f"not within {timeout:g} s: {description}")
        time.sleep(_LOOK_SECONDS)
