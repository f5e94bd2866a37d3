"""Parents made to be killed: `python -m tests.processes.victims spawn SIGTERM` or `... valkey DIRECTORY`.

Each prints the pid of its child and then waits for its end.
"""

import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import redis

from callguard.processes.embedded_valkey import EmbeddedValkey
from callguard.processes.program import Program
from callguard.processes.spawn import spawn
from callguard.processes.supervisor import Supervisor

REPOSITORY = Path(__file__).parents[2]


@contextmanager
def victim(*arguments: str) -> "Iterator[tuple[subprocess.Popen[str], int]]":
    """Start a parent; yield it and the pid of its child. It is killed in the end, if the test did not."""
    argv = [sys.executable, "-m", "tests.processes.victims", *arguments]
    with subprocess.Popen(argv, stdout=subprocess.PIPE, text=True, cwd=REPOSITORY) as parent:
        try:
            assert parent.stdout is not None
            yield parent, int(parent.stdout.readline())
        finally:
            parent.kill()


def is_running(pid: int) -> bool:
    """Return whether a process exists and is more than a zombie that nobody has fetched."""
    try:
        threads = [stat.read_text() for stat in Path(f"/proc/{pid}/task").glob("*/stat")]
    except (FileNotFoundError, ProcessLookupError):
        return False
    # The first thread is a zombie already while others, and with them the open sockets, are still going.
    return any(stat.rpartition(")")[2].split()[0] not in "ZX" for stat in threads)


def _main(kind: str, argument: str) -> None:
    if kind == "spawn":
        child = spawn(["sleep", "60"], death_signal=signal.Signals[argument])
        _report(child.pid)
    elif kind == "supervise":
        supervisor = Supervisor([Program("sleeper", ("sleep", argument))])
        supervisor.start()
        _report(supervisor.pid("sleeper"))
    else:
        valkey = EmbeddedValkey(Path(argument))
        valkey.start()
        with redis.Redis.from_url(valkey.url) as client:
            client.set("written", "before the end")
        _report(valkey.pid)


def _report(pid: int | None) -> None:
    sys.stdout.write(f"{pid}\n")
    sys.stdout.flush()
    signal.pause()


if __name__ == "__main__":
    _main(*sys.argv[1:])
