"""Killing parts of a guard at work."""

import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path

from tests.stack import Stack

LOST_SECONDS = 1.0
HANG_SECONDS = 3.0


class Victim(Enum):
    """What is killed, or stopped."""

    HORSE = "work-horse"
    WORKER = "worker"
    WATCHER = "watcher"
    WEB_WORKER = "gunicorn worker"
    ARBITER = "gunicorn arbiter"
    SUPERVISOR = "supervisor"
    REDIS = "Redis"
    REDIS_HANGS = "Redis, which hangs"
    REDIS_FORGETS = "Redis and its last second"


@dataclass
class Blow:
    """One kill: whom, when (Unix seconds), and when what died was started again by us; else the same time."""

    victim: Victim
    at: float
    restarted_at: float

    @property
    def forgets(self) -> bool:
        """Whether Redis has lost what it was told of late."""
        return self.victim is Victim.REDIS_FORGETS


@dataclass
class Striker:
    """Kills parts of a guard. What nobody of the guard's own starts again, it does."""

    guard: Stack
    sizes: "FileSizes | None" = None
    blows: list[Blow] = field(default_factory=list)
    struck_at: float = 0.0

    def strike(self, victim: Victim) -> None:
        """Kill, start again where nobody else does, and note both times; or nothing if there is nobody to kill."""
        self.struck_at = 0.0
        _BLOWS[victim](self)
        if self.struck_at:
            restarted_at = self.struck_at if victim in _SELF_HEALING else time.time()
            self.blows.append(Blow(victim, self.struck_at, restarted_at))

    def _horse(self) -> None:
        horses = self._find(lambda: [horse for worker in self._workers() for horse in children(worker)])
        self._kill(*horses[:1])

    def _worker(self) -> None:
        """Kill the worker that drains, if one does: it is the one with a work-horse."""
        busy = self._find(lambda: [worker for worker in self._workers() if children(worker)])
        self._kill(*(busy or self._workers())[:1])

    def _watcher(self) -> None:
        self._kill(*self._find(lambda: self._supervised(watchers=True))[:1])

    def _web_worker(self) -> None:
        self._kill(*self._find(lambda: children(self.guard.web.pid))[:1])

    def _arbiter(self) -> None:
        self._kill(self.guard.web.pid)
        self.guard.web.start()

    def _supervisor(self) -> None:
        assert self.guard.workers is not None
        self._kill(self.guard.workers.pid)
        self.guard.workers.start()

    def _redis(self) -> None:
        self._kill_redis()
        self.guard.valkey.start()

    def _redis_hangs(self) -> None:
        pid = self.guard.valkey.pid
        assert pid is not None
        self.struck_at = time.time()
        os.kill(pid, signal.SIGSTOP)
        time.sleep(HANG_SECONDS)
        os.kill(pid, signal.SIGCONT)

    def _redis_forgets(self) -> None:
        assert self.sizes is not None
        self._kill_redis()
        self.sizes.cut(LOST_SECONDS)
        self.guard.valkey.start()

    def _kill_redis(self) -> None:
        pid = self.guard.valkey.pid
        assert pid is not None
        self._kill(pid)
        self.guard.valkey.stop()

    def _workers(self) -> list[int]:
        return self._supervised(watchers=False)

    def _supervised(self, *, watchers: bool) -> list[int]:
        assert self.guard.workers is not None
        return [pid for pid in children(self.guard.workers.pid) if _is_watcher(pid) is watchers]

    def _kill(self, *pids: int) -> None:
        for pid in pids:
            self.struck_at = time.time()
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @staticmethod
    def _find(look: Callable[[], list[int]]) -> list[int]:
        """Look for a while: what was struck a moment ago may not be back yet."""
        deadline = time.monotonic() + 3
        while not (found := look()) and time.monotonic() < deadline:
            time.sleep(0.01)
        return found


_BLOWS: dict[Victim, Callable[[Striker], None]] = {
    Victim.HORSE: Striker._horse,
    Victim.WORKER: Striker._worker,
    Victim.WATCHER: Striker._watcher,
    Victim.WEB_WORKER: Striker._web_worker,
    Victim.ARBITER: Striker._arbiter,
    Victim.SUPERVISOR: Striker._supervisor,
    Victim.REDIS: Striker._redis,
    Victim.REDIS_HANGS: Striker._redis_hangs,
    Victim.REDIS_FORGETS: Striker._redis_forgets,
}
_SELF_HEALING = (Victim.HORSE, Victim.WORKER, Victim.WATCHER, Victim.WEB_WORKER)


class FileSizes:
    """How long the append-only file was at which time, so that its last second can be lost."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder / "appendonlydir"
        self._sizes: list[tuple[float, Path, int]] = []
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._watch, name="sizes", daemon=True)

    def __enter__(self) -> "FileSizes":
        self._thread.start()
        return self

    def __exit__(self, *_error: object) -> None:
        self._stopped.set()
        self._thread.join()

    def cut(self, seconds: float) -> None:
        """Cut off what was appended in the last `seconds`."""
        now = time.monotonic()
        old = [(path, size) for at, path, size in self._sizes if at <= now - seconds]
        if old:
            path, size = old[-1]
            os.truncate(path, size)

    def _watch(self) -> None:
        while not self._stopped.wait(0.02):
            for path in self._folder.glob("*.incr.aof"):
                with suppress(OSError):
                    self._sizes.append((time.monotonic(), path, path.stat().st_size))


def children(pid: int) -> list[int]:
    """Return the processes that a process has started; none if it is gone."""
    try:
        return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def _is_watcher(pid: int) -> bool:
    try:
        return b"watcher" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return False
