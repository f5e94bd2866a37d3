"""The command line: `callguard simulate`."""

import signal
import socket
import subprocess
import sys

import pytest
import requests
from click.testing import CliRunner

from callguard.cli.simulate import simulate
from tests.waiting import wait_until

pytestmark = pytest.mark.full

START = [sys.executable, "-c", "from callguard.cli.simulate import simulate; simulate()"]


@pytest.mark.parametrize("end", [signal.SIGINT, signal.SIGTERM])
def test_it_greets_serves_and_ends_cleanly(end: signal.Signals) -> None:
    command = [*START, "--port", "0", "--cps", "0.01", "--runaway", "50"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        lines: list[str] = []
        while "Runaway" not in "".join(lines):
            lines.append(process.stdout.readline())
            assert lines[-1], process.stderr.read()
        exports = dict(line.split("export ")[1].strip().split("=", 1) for line in lines if "export" in line)
        url, sid = exports["CALLGUARD_TWILIO_API_URL"], exports["TWILIO_ACCOUNT_SID"]
        truth = f"{url}/simulator/accounts/{sid}"
        wait_until(lambda: requests.get(truth, timeout=10).json()["created"] == 50)
        process.send_signal(end)
        farewell, trouble = process.communicate(timeout=10)

    assert process.returncode == 0
    assert "50 calls created, 1 dialled, 0 cancelled, 49 still queued" in farewell
    assert trouble == ""


def test_it_serves_as_many_accounts_as_are_named() -> None:
    sids = ["AC" + letter * 32 for letter in "ab"]
    accounts = [word for sid in sids for word in ("--account", sid)]
    with subprocess.Popen([*START, "--port", "0", *accounts], stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().split()[-1]
        served = [truth["sid"] for truth in requests.get(f"{url}/simulator/accounts", timeout=10).json()]
        process.send_signal(signal.SIGTERM)
        process.communicate(timeout=10)

    assert served == sids


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--account", "AC1"], "an account SID is AC and 32 hex digits"),
        (["--account", "AC" + "a" * 32, "--account", "AC" + "a" * 32], "each with its own SID"),
        (["--cps", "0"], "--cps"),
        (["--error-rate", "2"], "--error-rate"),
        (["--list-order", "random"], "--list-order"),
        (["--status-callback", "nonsense"], "must be an http:// or https:// address"),
        (["--port", "70000"], "--port"),
        (["--event-sink", "nonsense"], "a sink's URL is http or https"),
    ],
)
def test_bad_options_are_told(options: list[str], words: str) -> None:
    result = CliRunner().invoke(simulate, options)

    assert result.exit_code == 2
    assert words in result.output


def test_a_taken_port_is_told() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        result = CliRunner().invoke(simulate, ["--port", str(taken.getsockname()[1])])

    assert result.exit_code == 1
    assert "cannot listen on 127.0.0.1 port" in result.output
