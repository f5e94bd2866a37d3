"""Settings that are right, for tests to change."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from callguard.config.errors import ConfigurationError
from callguard.config.settings import load_settings

SID = "AC" + "0" * 31 + "1"
OTHER_SID = "AC" + "0" * 31 + "2"
TOKEN = "tok" + "1" * 29
OTHER_TOKEN = "tok" + "2" * 29

RIGHT = {
    "TWILIO_ACCOUNT_SID": SID,
    "TWILIO_AUTH_TOKEN": TOKEN,
    "CALLGUARD_PUBLIC_URL": "https://guard.example.com",
    "HOME": "/home/guard",
}
ONLY_URL = {"CALLGUARD_PUBLIC_URL": "https://guard.example.com"}


def with_file(folder: Path, toml: str, environ: Mapping[str, str] = RIGHT) -> dict[str, str]:
    """Return the environment with a file that says `toml`."""
    file = folder / "callguard.toml"
    file.write_text(toml)
    return {**environ, "CALLGUARD_CONFIG": str(file)}


def problems(environ: Mapping[str, str]) -> list[str]:
    """Return the lines of the error that these settings raise, without its headline."""
    with pytest.raises(ConfigurationError) as caught:
        load_settings(environ)
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None, "a cause would be shown with the values that it holds"
    return str(caught.value).splitlines()[1:]


def problem(environ: Mapping[str, str]) -> str:
    """Return the one problem that these settings have."""
    lines = problems(environ)
    assert len(lines) == 1, lines
    return lines[0]
