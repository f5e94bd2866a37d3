"""Programs from Debian's packages that some tests need."""

import os
import shutil

import pytest


def program_or_skip(name: str) -> str:
    """Return the program's path; without it, skip, or fail where CALLGUARD_REQUIRE_ALL=1."""
    path = shutil.which(name)
    if path is None:
        reason = f"{name} is not installed"
        if os.environ.get("CALLGUARD_REQUIRE_ALL") == "1":
            pytest.fail(reason)
        pytest.skip(reason)
    return path
