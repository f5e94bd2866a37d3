"""The guard as processes: an embedded Valkey, gunicorn, workers, beside a simulated Twilio."""

import os
import socket
import sys
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import Popen
from tempfile import TemporaryDirectory

from callguard.bootstrap import ConsoleParts, build_console
from callguard.config.settings import load_settings
from callguard.processes.embedded_valkey import EmbeddedValkey
from callguard.processes.ending import end, kill
from callguard.processes.spawn import spawn
from callguard.simulator import SANDBOX_ACCOUNT_SID, SANDBOX_AUTH_TOKEN, RunningSimulator, SimulatorConfig, running
from callguard.store.stores import Stores
from tests.waiting import wait_until

ROOT = Path(__file__).parents[1]
SID, TOKEN = SANDBOX_ACCOUNT_SID, SANDBOX_AUTH_TOKEN
PUBLIC_URL = "http://127.0.0.1:8000"
CONFIG = str(ROOT / "deploy" / "gunicorn.conf.py")


@dataclass
class Part:
    """A program of the guard, which a test may kill and start again, as the one who runs the guard would."""

    argv: Sequence[str]
    environ: Mapping[str, str]
    log: Path
    _process: "Popen[bytes] | None" = field(default=None, init=False)

    @property
    def pid(self) -> int:
        """The process; its children are the test's to find."""
        assert self._process is not None
        return self._process.pid

    def start(self) -> None:
        """Start it, or start it anew: whatever is left of the last one in its session is killed first."""
        if self._process is not None:
            kill(self._process)
        self._process = spawn(self.argv, env={"PYTHONPATH": str(ROOT), **self.environ}, output=self.log)

    def end(self) -> None:
        """End it in good order."""
        if self._process is not None:
            end(self._process, grace_seconds=15)

    def __enter__(self) -> "Part":
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self.end()


@dataclass(frozen=True)
class Parts:
    """What runs of the guard, and services on the same data."""

    services: ConsoleParts
    valkey: EmbeddedValkey
    web: Part
    workers: Part | None

    @property
    def stores(self) -> Stores:
        """What the guard keeps in Redis."""
        return self.services.stores


@dataclass(frozen=True)
class Stack:
    """What runs, and how to look at it."""

    port: int
    services: ConsoleParts
    twilio: RunningSimulator
    logs: Path
    valkey: EmbeddedValkey
    web: Part
    workers: Part | None

    @property
    def stores(self) -> Stores:
        """What the guard keeps in Redis."""
        return self.services.stores


def free_port() -> int:
    """Return a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def gunicorn(app: str, port: int, environ: Mapping[str, str], log: Path) -> Part:
    """Return a context in which gunicorn serves `app` with the deployed configuration."""
    argv = [sys.executable, "-m", "gunicorn", app, "--config", CONFIG]
    return Part(argv, {**environ, "CALLGUARD_BIND": f"127.0.0.1:{port}"}, log)


def answers(port: int, path: str) -> bool:
    """Return whether the server answers at all."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=1):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False


@contextmanager
def stack(
    simulated: SimulatorConfig,
    policy: Mapping[str, object] | None = None,
    *,
    workers: bool = True,
    port: int | None = None,
    environ: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """Run everything; `policy` keys become CALLGUARD_POLICY__ settings."""
    with (
        TemporaryDirectory(prefix="callguard-stack-") as folder,
        running(simulated) as twilio,
        guard_of(twilio, Path(folder), port or free_port(), policy, workers=workers, more=environ) as guard,
    ):
        yield guard


@contextmanager
def guard_of(
    twilio: RunningSimulator,
    folder: Path,
    port: int,
    policy: Mapping[str, object] | None = None,
    *,
    workers: bool = True,
    watchers: int = 1,
    more: Mapping[str, str] | None = None,
) -> Iterator[Stack]:
    """Run everything but Twilio, with the data that is in `folder`: so a guard can be ended and started again."""
    with guard_at(twilio.url, folder, port, policy, workers=workers, watchers=watchers, more=more) as parts:
        yield Stack(port, parts.services, twilio, folder, parts.valkey, parts.web, parts.workers)


@contextmanager
def guard_at(
    twilio_url: str,
    folder: Path,
    port: int,
    policy: Mapping[str, object] | None = None,
    *,
    workers: bool = True,
    watchers: int = 1,
    more: Mapping[str, str] | None = None,
) -> Iterator[Parts]:
    """Run everything but Twilio, which is at an address."""
    with ExitStack() as things:
        valkey = things.enter_context(EmbeddedValkey(folder))
        environ = {
            "TWILIO_ACCOUNT_SID": SID,
            "TWILIO_AUTH_TOKEN": TOKEN,
            "CALLGUARD_PUBLIC_URL": f"http://127.0.0.1:{port}",
            "CALLGUARD_REDIS_URL": valkey.url,
            "CALLGUARD_DATA_DIR": str(folder),
            "CALLGUARD_TWILIO_API_URL": twilio_url,
            **{f"CALLGUARD_POLICY__{key.upper()}": str(value) for key, value in (policy or {}).items()},
            **(more or {}),
        }
        services = build_console(load_settings({**os.environ, **environ}))
        web = things.enter_context(gunicorn("wsgi:app", port, environ, folder / "web.log"))
        wait_until(lambda: answers(port, "/readyz"), "the web server answers", timeout=30)
        supervisor = None
        if workers:
            argv = [sys.executable, "-m", "workers"]
            supervisor = things.enter_context(Part(argv, environ, folder / "workers.log"))
            for number in range(watchers - 1):
                log = folder / f"watcher-{number + 2}.log"
                things.enter_context(Part([*argv, "watcher"], environ, log))
            wait_until(
                lambda: services.stores.heartbeats.ages(0).keys() >= {"watcher", "cancel-worker"},
                "the workers are up",
                timeout=30,
            )
        yield Parts(services, valkey, web, supervisor)
