"""Private real servers for tests: a Unix socket in a short directory, no port, nothing on disk.

`redis_url` runs a test on Valkey, or with `--server redis` on Debian's redis-server; `tests/store` runs on both.
It lets no test leave a key without expiry.
"""

import re
import shutil
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import redis

from callguard.processes import ending
from callguard.processes.program import last_lines
from callguard.processes.server_binary import find_packaged_binary
from callguard.processes.spawn import spawn
from tests.requires import skip_or_fail
from tests.waiting import wait_until

# The keys of ours that are meant to stay for ever; every other `callguard:` key must expire.
PERMANENT_KEYS = [
    r"callguard:\{AC[0-9a-f]{32}\}:state",
    r"callguard:\{AC[0-9a-f]{32}\}:totals",
    r"callguard:heartbeats",
]


SERVERS = ("valkey", "redis")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--server", choices=SERVERS, default="valkey", help="on which server the tests run")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """On the second server, only what uses a server and has not run on both already."""
    if config.getoption("--server") == "valkey":
        return
    wanted = [item for item in items if _depends_on_the_server(item)]
    config.hook.pytest_deselected(items=[item for item in items if item not in wanted])
    items[:] = wanted


def _depends_on_the_server(item: pytest.Item) -> bool:
    return "redis_server" in getattr(item, "fixturenames", ()) and "store" not in item.path.parts


@pytest.fixture(scope="session")
def redis_server(request: pytest.FixtureRequest) -> Iterator[str]:
    """The URL of a server that lives as long as the test session."""
    yield from serve(request.config.getoption("--server"))


def serve(brand: str) -> Iterator[str]:
    """Start a server of one of the `SERVERS`, yield its URL, and end it."""
    binary = find_packaged_binary() if brand == "valkey" else shutil.which("redis-server")
    if binary is None:
        skip_or_fail(f"there is no server for {brand} on this machine")
    # Not tmp_path: a socket's path has at most 104 bytes on some systems.
    directory = Path(tempfile.mkdtemp(prefix="callguard-test-"))
    try:
        yield from _serve(Path(str(binary)), directory)
    finally:
        shutil.rmtree(directory)


@pytest.fixture
def redis_url(redis_server: str) -> Iterator[str]:
    """The URL of an empty server. Afterwards, a key of ours that never expires fails the test."""
    with redis.Redis.from_url(redis_server) as client:
        client.flushall()
        yield redis_server
        if kept := keys_without_expiry(client):
            pytest.fail(f"left without expiry, and not in PERMANENT_KEYS: {', '.join(kept)}")


def keys_without_expiry(client: "redis.Redis") -> list[str]:
    """Return the `callguard:` keys that never expire and are not of a permanent kind."""
    keys = [bytes(key) for key in client.scan_iter(match="callguard:*", count=1000)]
    with client.pipeline(transaction=False) as pipeline:
        for key in keys:
            pipeline.ttl(key)
        lifetimes = pipeline.execute()
    names = [key.decode() for key, seconds in zip(keys, lifetimes, strict=True) if seconds == -1]
    return sorted(name for name in names if not any(re.fullmatch(kind, name) for kind in PERMANENT_KEYS))


def _serve(binary: Path, directory: Path) -> Iterator[str]:
    socket, log = directory / "server.sock", directory / "server.log"
    options = ["--port", "0", "--unixsocket", str(socket), "--save", "", "--appendonly", "no"]
    process = spawn([str(binary), *options, "--dir", str(directory)], output=log, death_signal=signal.SIGKILL)
    try:
        with redis.Redis(unix_socket_path=str(socket)) as client:
            wait_until(lambda: _answers(client, process, log), f"{binary.name} answers")
        yield f"unix://{socket}"
    finally:
        ending.end(process, grace_seconds=5.0)


def _answers(client: "redis.Redis", process: "subprocess.Popen[bytes]", log: Path) -> bool:
    if (code := ending.reap(process)) is not None:
        pytest.fail(f"the server ended with {code}:\n{last_lines(log)}")
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False
