"""Started with standard streams closed, as some supervisors and scripts do."""

import io
import os
import subprocess
import sys
from pathlib import Path

import pytest

from callguard.processes.standard_streams import LastingOutput

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


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="there is no /dev/full")
def test_output_that_cannot_be_written_is_dropped() -> None:
    program = """
import sys, click
from callguard.processes.standard_streams import LastingOutput
sys.stdout = LastingOutput(sys.stdout)
for _ in range(3):
    click.echo("x" * 100_000)
from rich.console import Console
Console().print("more")
sys.stderr.write("alive")
"""
    with open("/dev/full", "w") as full:
        ended = subprocess.run(
            [sys.executable, "-c", program],
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
            timeout=30,
        )

    assert ended.returncode == 0
    assert ended.stderr.endswith("alive")
    assert ended.stderr.count("is dropped") == 1


def test_output_that_can_be_written_is() -> None:
    written = io.StringIO()
    output = LastingOutput(written)

    assert output.write("text") == 4
    output.flush()

    assert written.getvalue() == "text"
