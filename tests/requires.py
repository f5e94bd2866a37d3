"""What some tests need of Debian's packages."""

import os
import shutil
from typing import NoReturn

import pytest


def program_or_skip(name: str) -> str:
    """Return the program's path; without it, skip, or fail where CALLGUARD_REQUIRE_ALL=1."""
    path = shutil.which(name)
    return path if path is not None else skip_or_fail(f"{name} is not installed")


def skip_or_fail(reason: str) -> NoReturn:
    """Skip the test, or fail it where CALLGUARD_REQUIRE_ALL=1."""
    if os.environ.get("CALLGUARD_REQUIRE_ALL") == "1":
        pytest.fail(reason)
    pytest.skip(reason)
