"""One embedded Valkey per data directory."""

import fcntl
import os
import time
from contextlib import suppress
from pathlib import Path

from callguard.errors import DataDirInUseError

_LEFTOVER_SECONDS = 3.0
_LOOK_SECONDS = 0.02


class DataDirLock:
    """A lock that we *and* the server hold: the server inherits the file descriptor.

    So the lock outlives us while the server is still writing, and two servers never write the same append-only
    file. The kernel lifts the lock when its last holder ends, in whatever way.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd: int | None = None

    @property
    def fd(self) -> int:
        """The descriptor to hand to the server. Only while locked."""
        if self._fd is None:
            raise RuntimeError(f"{self._path} is not locked")
        return self._fd

    def acquire(self) -> None:
        """Lock; harmless if we hold it. Waits a little for a server whose parent has died to end too.

        Raises:
            DataDirInUseError: somebody else holds it; the message names the process.
        """
        if self._fd is not None:
            return
        fd = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        with suppress(OSError):  # it is another user's, who lets us write
            os.fchmod(fd, 0o600)
        try:
            self._lock(fd)
        except BaseException:
            os.close(fd)
            raise
        self._fd = fd
        self.note(server_pid=None)

    def note(self, server_pid: int | None) -> None:
        """Write down who holds the lock, for the message that others get."""
        pids = f"{os.getpid()} {server_pid or ''}\n".encode()
        with suppress(OSError):  # A full disk spoils the message, not the lock.
            os.ftruncate(self.fd, 0)
            os.pwrite(self.fd, pids, 0)

    def release(self) -> None:
        """Unlock; harmless when repeated. The file stays: deleting it would let two lock two files."""
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None

    def _lock(self, fd: int) -> None:
        deadline = time.monotonic() + _LEFTOVER_SECONDS
        while True:
            with suppress(BlockingIOError):
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            owner, server = self._read_pids()
            if (owner is not None and _is_alive(owner)) or time.monotonic() >= deadline:
                raise DataDirInUseError(self._describe(owner, server))
            time.sleep(_LOOK_SECONDS)

    def _read_pids(self) -> tuple[int | None, int | None]:
        pids: list[int | None] = [
            int(word) for word in self._path.read_text(errors="replace").split() if word.isdecimal()
        ]
        owner, server, *_ = [*pids, None, None]
        return owner, server

    def _describe(self, owner: int | None, server: int | None) -> str:
        where = self._path.parent
        if owner is not None and server is not None and not _is_alive(owner):
            return (
                f"{where} is in use: the server of a CallGuard that has died (process {owner}) still runs. "
                f"End it with: kill {server}"
            )
        return (
            f"{where} is in use by process {owner if owner is not None else '(unknown)'}. "
            "Stop that CallGuard, or set CALLGUARD_DATA_DIR to another directory."
        )


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        pass  # It is somebody else's.
    return True
