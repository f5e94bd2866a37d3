"""A private Valkey for one machine, started and ended by us."""

import logging
import os
import shutil
import subprocess
import tempfile
import time
from contextlib import suppress
from errno import ENOTDIR
from pathlib import Path
from types import TracebackType
from urllib.parse import quote

import redis
from redis.backoff import NoBackoff
from redis.retry import Retry

from callguard.errors import ServerNotFoundError, ServerStartError
from callguard.processes import ending
from callguard.processes.child import describe_exit
from callguard.processes.data_dir_lock import DataDirLock
from callguard.processes.program import Backoff, last_lines
from callguard.processes.server_binary import find_server_binary
from callguard.processes.spawn import spawn

_ANSWER_SECONDS = 10.0
_LOADING_SECONDS = 30.0
_STOP_SECONDS = 10.0
_LOOK_SECONDS = 0.01
# The kernel's limit for a socket's path is 108 bytes on Linux and 104 on macOS.
_MAX_SOCKET_PATH = 100
_SOCKET = "valkey.sock"
_WRITTEN = "appendonlydir"

logger = logging.getLogger(__name__)


class EmbeddedValkey:
    """A Valkey on a Unix socket in `data_dir`, with an append-only file there; no port is opened.

    Only our own user can connect, or read what is written, also in a folder that is open to others. What was
    written is there again at the next start, also after `kill -9` of the server or of us; a power failure may cost
    the last second. Nothing is evicted. The server ends when we end, in whatever way (on Linux; see `spawn`).

    As a context manager it starts on entry and stops on exit. Main thread only (see `spawn`).
    """

    def __init__(self, data_dir: Path, *, fresh: bool = False, loading_seconds: float = _LOADING_SECONDS) -> None:
        """`loading_seconds`: how long the server may take to read a big append-only file at its start.

        `fresh`: the first start forgets what an earlier server has written.
        """
        self._data_dir = data_dir.resolve()
        self._fresh = fresh
        self._loading_seconds = loading_seconds
        self._lock = DataDirLock(self._data_dir / "valkey.lock")
        self._log = self._data_dir / "valkey.log"
        self._socket: Path | None = None
        self._process: subprocess.Popen[bytes] | None = None
        self._backoff = Backoff()
        self._started_at = 0.0
        self._restart_at: float | None = None

    def __enter__(self) -> "EmbeddedValkey":
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    @property
    def url(self) -> str:
        """The URL for `redis.Redis.from_url` and CALLGUARD_REDIS_URL. Known once started."""
        if self._socket is None:
            raise RuntimeError("the embedded Valkey has not been started")
        return f"unix://{quote(str(self._socket))}"

    @property
    def pid(self) -> int | None:
        """The server's process, None while there is none."""
        return self._process.pid if self._process is not None else None

    def start(self) -> None:
        """Start the server and wait until it answers. Does nothing while it runs.

        Raises:
            ServerNotFoundError: there is no server binary on this machine.
            DataDirInUseError: another process keeps its data in the directory.
            ServerStartError: it did not come up; the last lines of its log are in the message. Or the data
                directory cannot be made or written; the message names CALLGUARD_DATA_DIR.
        """
        if self._process is not None and ending.reap(self._process) is None:
            return
        try:
            _make_private(self._data_dir)
            self._lock.acquire()
        except OSError as error:
            raise ServerStartError(
                f"{self._data_dir} cannot be used for data ({error.strerror}). Set CALLGUARD_DATA_DIR to a folder "
                "that you may write to, for example CALLGUARD_DATA_DIR=$HOME/callguard-data"
            ) from error
        try:
            self._forget_if_fresh()
            _make_files_private(self._data_dir)
            self._socket = self._socket or self._choose_socket()
            self._spawn()
            self._wait_until_ready()
        except BaseException:
            self.stop()
            raise

    def revive(self) -> None:
        """Start the server again if it has died, with growing delays; never waits. Does nothing after `stop`.

        It fits `Supervisor.run_until_signalled(alongside=...)`. Clients see a refused connection or `LOADING`
        meanwhile.
        """
        now = time.monotonic()
        if self._process is not None and (code := ending.reap(self._process)) is not None:
            self._process = None
            delay = self._backoff.after(now - self._started_at)
            self._restart_at = now + delay
            how, log = describe_exit(code), last_lines(self._log)
            logger.error("the embedded Valkey %s; restart in %.1f s. Its last lines:\n%s", how, delay, log)
        elif self._restart_at is not None and now >= self._restart_at:
            try:
                self._spawn()
            except (ServerNotFoundError, ServerStartError) as error:
                logger.error("%s", error)
                self._restart_at = now + self._backoff.after(0)

    def stop(self) -> None:
        """End the server (SIGTERM, after 10 s SIGKILL) and free the directory. Harmless when repeated."""
        self._restart_at = None
        if self._process is not None:
            ending.end(self._process, _STOP_SECONDS)
            self._process = None
        if self._socket is not None:
            self._socket.unlink(missing_ok=True)
            if self._socket.parent != self._data_dir:
                (self._data_dir / _SOCKET).unlink(missing_ok=True)
                with suppress(OSError):
                    self._socket.parent.rmdir()
            self._socket = None
        self._lock.release()

    def _forget_if_fresh(self) -> None:
        """Delete what an earlier server has written. The lock is ours by now, so nobody writes there."""
        if self._fresh:
            shutil.rmtree(self._data_dir / _WRITTEN, ignore_errors=True)
            self._fresh = False

    def _choose_socket(self) -> Path:
        socket = self._data_dir / _SOCKET
        if len(os.fsencode(socket)) <= _MAX_SOCKET_PATH:
            return socket
        short = Path(tempfile.mkdtemp(prefix="callguard-")) / _SOCKET
        if len(os.fsencode(short)) > _MAX_SOCKET_PATH:
            short.parent.rmdir()
            raise ServerStartError(
                f"{socket} and {short} are both too long for a Unix socket. "
                "Set CALLGUARD_DATA_DIR to a shorter path."
            )
        logger.info("%s is too long for a Unix socket: using %s", socket, short)
        # For `callguard status` and its like, which know only the data directory.
        socket.unlink(missing_ok=True)
        socket.symlink_to(short)
        return short

    def _spawn(self) -> None:
        binary = find_server_binary()
        self._restart_at = None
        self._started_at = time.monotonic()
        try:
            # Early errors go to stderr, before the server opens its log: both end in one file. The death
            # signal is SIGTERM, since an append may wait for a slow disk; the lock spans the time it takes.
            self._process = spawn(
                [str(binary), *self._options()], output=self._log, pass_fds=(self._lock.fd,), umask=0o077
            )
        except OSError as error:
            raise ServerStartError(
                f"{binary} cannot be run ({error}). Set CALLGUARD_REDIS_URL to a server that runs already."
            ) from error
        self._lock.note(server_pid=self._process.pid)

    def _options(self) -> list[str]:
        return [
            *("--port", "0"),
            *("--unixsocket", str(self._socket)),
            *("--unixsocketperm", "700"),
            *("--dir", str(self._data_dir)),
            *("--logfile", str(self._log)),
            *("--daemonize", "no"),
            *("--appendonly", "yes"),
            *("--appendfsync", "everysec"),
            *("--save", ""),
            *("--maxmemory-policy", "noeviction"),
        ]

    def _wait_until_ready(self) -> None:
        assert self._process is not None  # noqa: S101 -- for the type checker
        began = time.monotonic()
        allowed = _ANSWER_SECONDS
        retry = Retry(NoBackoff(), 0)
        with redis.Redis(unix_socket_path=str(self._socket), socket_timeout=1.0, retry=retry) as client:
            while True:
                try:
                    client.ping()
                    return
                except redis.BusyLoadingError:
                    allowed = self._loading_seconds
                except (redis.ConnectionError, redis.TimeoutError):
                    pass  # Not yet listening.
                if (code := ending.reap(self._process)) is not None:
                    raise self._start_error(f"The embedded Valkey {describe_exit(code)}.")
                if time.monotonic() - began >= allowed:
                    raise self._start_error(f"The embedded Valkey did not answer within {allowed:.0f} s.")
                time.sleep(_LOOK_SECONDS)

    def _start_error(self, problem: str) -> ServerStartError:
        return ServerStartError(f"{problem} Its last lines in {self._log}:\n{last_lines(self._log)}")


def _make_files_private(folder: Path) -> None:
    """Close to other users what an earlier server, or one that is not ours, has left open to them.

    The folder itself may hold other things, and stays as it is.
    """
    for path in (folder / _WRITTEN, *(folder / _WRITTEN).glob("*"), *folder.glob("*.rdb")):
        with suppress(OSError):  # another user's: then we could not write it either
            if not path.is_symlink():
                path.chmod(0o700 if path.is_dir() else 0o600)


def _make_private(folder: Path) -> None:
    """Make a folder and those above it that are missing, all of them for us alone."""
    for missing in reversed([path for path in (folder, *folder.parents) if not path.exists()]):
        missing.mkdir(mode=0o700, exist_ok=True)
    if not folder.is_dir():
        raise NotADirectoryError(ENOTDIR, os.strerror(ENOTDIR), str(folder))
