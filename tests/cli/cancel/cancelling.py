"""`callguard cancel` as a process, against a simulated Twilio."""

import os
import pty
import re
import select
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callguard.processes.ending import end
from callguard.processes.spawn import spawn
from callguard.simulator import (
    SANDBOX_ACCOUNT_SID,
    SANDBOX_AUTH_TOKEN,
    AccountConfig,
    AccountTruth,
    RunningSimulator,
    SimulatorConfig,
    running,
)
from tests.calls import create_calls

ROOT = Path(__file__).parents[3]
SID = SANDBOX_ACCOUNT_SID
COMMAND = (sys.executable, "-m", "callguard", "cancel")
OURS = ("CALLGUARD_", "TWILIO_")
OUTCOMES = ("cancelled", "dialled", "gone", "protected", "failed", "remaining")


@dataclass
class Emergency:
    """A simulated Twilio with calls in its queue, and the command that is to cancel them."""

    twilio: RunningSimulator
    folder: Path
    settings: dict[str, str] = field(default_factory=dict)

    def environ(self) -> dict[str, str]:
        """Only what the command needs."""
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith(OURS)},
            "PYTHONPATH": str(ROOT),
            "TWILIO_ACCOUNT_SID": SID,
            "TWILIO_AUTH_TOKEN": SANDBOX_AUTH_TOKEN,
            "CALLGUARD_TWILIO_API_URL": self.twilio.url,
            "CALLGUARD_DATA_DIR": str(self.folder),
            **self.settings,
        }

    def truth(self) -> AccountTruth:
        return self.twilio.account(SID)

    def queue(self, count: int, **plan: Any) -> None:
        """Create calls at once and wait until all are there."""
        create_calls(self.twilio, SID, count, **plan)

    def run(self, *words: str, timeout: float = 60) -> "subprocess.CompletedProcess[str]":
        """Run the command without a terminal."""
        return subprocess.run(
            [*COMMAND, *words], env=self.environ(), stdin=subprocess.DEVNULL, capture_output=True, text=True,
            timeout=timeout, check=False,
        )  # fmt: skip

    @contextmanager
    def begun(self, *words: str) -> Iterator[tuple["subprocess.Popen[bytes]", Path]]:
        """Run the command beside us, without a terminal; yield it, and the file that it writes to."""
        told = self.folder / f"told-{time.monotonic_ns()}"
        process = spawn([*COMMAND, *words], env={**self._blanks(), **self.environ()}, output=told)
        try:
            yield process, told
        finally:
            end(process, grace_seconds=10)

    def _blanks(self) -> Mapping[str, str]:
        """`spawn` lays the environment over ours: what it has too much is blanked."""
        return {name: "" for name in os.environ if name.startswith(OURS)}

    def sent(self) -> set[str | None]:
        """Return every status that was ever sent in an update."""
        return {update.status_sent for update in self.twilio.updates(SID)}


@contextmanager
def emergency(folder: Path, calls: int = 0, **simulated: Any) -> Iterator[Emergency]:
    """Run a simulated Twilio with that many calls queued."""
    config = AccountConfig(**{"cps": 0.5, "latency": 0.01, **simulated})
    with running(SimulatorConfig(accounts=(config,))) as twilio:
        here = Emergency(twilio, folder)
        if calls:
            here.queue(calls)
        yield here


def account_of(output: str) -> dict[str, int]:
    """Return the figures of the account that was printed last; fail if they do not add up."""
    figures = re.findall(r"([\d,]+) found\s+= ((?:[\d,]+ \w+(?: \+ )?)+)", output)
    assert figures, output
    found, parts = figures[-1]
    account = {name: int(count.replace(",", "")) for count, name in re.findall(r"([\d,]+) (\w+)", parts)}
    assert tuple(account) == OUTCOMES
    total = int(found.replace(",", ""))
    assert total == sum(account.values()), output
    return {"found": total, **account}


HANG_UP = b""
"""Instead of something to type: the terminal is closed, as by a lost connection."""


def on_a_terminal(
    environ: Mapping[str, str],
    words: Sequence[str],
    steps: Sequence[tuple[bytes, bytes]],
    timeout: float = 60,
    *,
    columns: int = 80,
    command: Sequence[str] = COMMAND,
) -> tuple[int, str]:
    """Run the command on a terminal of its own; return its exit code and all that it wrote.

    Once what it wrote since the last step matches a step's pattern, the step's bytes are typed.
    """
    pid, terminal = pty.fork()
    if pid == 0:
        termios.tcsetwinsize(0, (24, columns))
        os.execve(command[0], [*command, *words], {**environ, "TERM": "xterm"})  # noqa: S606
    written, seen, left, deadline = b"", 0, list(steps), time.monotonic() + timeout
    while time.monotonic() < deadline:
        if select.select([terminal], [], [], 0.1)[0]:
            try:
                written += os.read(terminal, 65_536)
            except OSError:  # the other end is closed
                break
        if left and re.search(left[0][0], written[seen:]):
            seen, (_, typed) = len(written), left.pop(0)
            if typed == HANG_UP:
                break
            os.write(terminal, typed)
    else:
        os.kill(pid, 9)
    os.close(terminal)
    code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
    assert left == [], written.decode(errors="replace")
    return code, written.decode(errors="replace")
