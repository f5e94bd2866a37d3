"""Started with standard streams closed, as some supervisors and scripts do."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = """
import sys
from callguard.processes.standard_streams import open_closed_streams
open_closed_streams()
print("to nobody, or to whoever listens")
print("likewise", file=sys.stderr)
with open(sys.argv[1], "w") as file:
    file.write(f"{file.fileno()} {sys.stdin.read()!r}")
"""


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_no_file_takes_the_number_of_a_closed_stream(closed: str, tmp_path: Path) -> None:
    """Else a child would be given it, the lock of the data directory for one, as its standard input."""
    told = tmp_path / "told"
    argv = ["sh", "-c", f'exec "$@" {closed}', "sh", sys.executable, "-c", PROGRAM, str(told)]

    subprocess.run(argv, stdin=subprocess.DEVNULL, check=True, timeout=30)

    fd, read = told.read_text().split()
    assert int(fd) > 2
    assert read == "''"


def test_a_command_without_a_standard_input_asks_nobody() -> None:
    credentials = {"TWILIO_ACCOUNT_SID": "AC" + "1" * 32, "TWILIO_AUTH_TOKEN": "a" * 32}
    argv = ["sh", "-c", 'exec "$@" <&-', "sh", sys.executable, "-m", "callguard", "cancel"]

    ended = subprocess.run(
        argv, env={**os.environ, **credentials}, capture_output=True, text=True, check=False, timeout=30
    )

    assert ended.returncode == 2
    assert "there is no terminal to ask on" in ended.stderr
