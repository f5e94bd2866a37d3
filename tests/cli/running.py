"""Commands beside a running guard."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from callguard.cli import main
from tests.conftest import ACCOUNT_SID


@pytest.fixture
def environ(monkeypatch: pytest.MonkeyPatch, redis_url: str, tmp_path: Path) -> None:
    """The settings of a running guard, but for the public URL, which the commands do not need."""
    monkeypatch.setenv("TWILIO_ACCOUNT_SID", ACCOUNT_SID)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "a" * 32)
    monkeypatch.setenv("CALLGUARD_REDIS_URL", redis_url)
    monkeypatch.setenv("CALLGUARD_DATA_DIR", str(tmp_path))
    monkeypatch.delenv("CALLGUARD_CONFIG", raising=False)


def run(*words: str) -> Result:
    """Run a command in this process."""
    return CliRunner().invoke(main, words)
