"""Servers of Redis on ports, and a proxy before them: what a failover is made of."""

import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Thread
from typing import Any

import redis

from callguard.processes.ending import end
from callguard.processes.server_binary import find_packaged_binary
from callguard.processes.spawn import spawn
from tests.waiting import wait_until


@dataclass
class Server:
    """A Redis on a port, which forgets everything unless it finds a dump in its folder."""

    port: int
    folder: Path
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def client(self) -> Any:
        return redis.Redis(port=self.port, decode_responses=True)

    def start(self) -> None:
        self.folder.mkdir(exist_ok=True)
        options = ["--port", str(self.port), "--save", "", "--appendonly", "no", "--dir", str(self.folder)]
        log = self.folder / "log"
        self.process = spawn([str(find_packaged_binary()), *options], output=log, death_signal=signal.SIGKILL)
        wait_until(self.answers, "the server answers")

    def answers(self) -> bool:
        try:
            return bool(self.client.ping())
        except redis.RedisError:
            return False

    def kill(self) -> None:
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def __enter__(self) -> "Server":
        self.start()
        return self

    def __exit__(self, *_error: object) -> None:
        if self.process is not None:
            end(self.process, grace_seconds=5)


@dataclass
class Proxy:
    """A TCP proxy: new connections go to `upstream`, those that are open stay where they are."""

    port: int
    upstream: int
    _open: list[socket.socket] = field(default_factory=list)

    def pipe(self, client: socket.socket) -> None:
        try:
            server = socket.create_connection(("127.0.0.1", self.upstream))
        except OSError:
            client.close()
            return
        self._open += [client, server]
        for source, target in ((client, server), (server, client)):
            Thread(target=_copy, args=(source, target), daemon=True).start()

    def close(self) -> None:
        for one in self._open:
            one.close()


@contextmanager
def proxy_to(upstream: int) -> Iterator[Proxy]:
    """Run a proxy on a port of its own."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        proxy = Proxy(listener.getsockname()[1], upstream)

        def accept() -> None:
            while True:
                try:
                    proxy.pipe(listener.accept()[0])
                except OSError:
                    if listener.fileno() < 0:
                        return

        Thread(target=accept, daemon=True).start()
        try:
            yield proxy
        finally:
            proxy.close()


def _copy(source: socket.socket, target: socket.socket) -> None:
    try:
        while data := source.recv(65_536):
            target.sendall(data)
    except OSError:
        pass
    for one in (source, target):
        one.close()
