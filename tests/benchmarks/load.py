"""Load: prepared requests over keep-alive connections, from a process of its own."""

import multiprocessing
import selectors
import socket
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class LoadResult:
    """How many replies of each status came, in how many seconds."""

    statuses: dict[int, int]
    seconds: float

    @property
    def per_second(self) -> float:
        """Replies per second."""
        return sum(self.statuses.values()) / self.seconds


def run_load(host: str, port: int, requests: Sequence[bytes], connections: int) -> LoadResult:
    """Send all requests, each once, `connections` at a time, and return what came of it."""
    context = multiprocessing.get_context("fork")
    receiver, sender = context.Pipe(duplex=False)
    process = context.Process(target=_load, args=(host, port, requests, connections, sender))
    process.start()
    sender.close()  # so that the end of the process is seen, should it fail
    try:
        result: LoadResult = receiver.recv()
    except EOFError:
        raise RuntimeError("the load could not be sent; its error is above") from None
    finally:
        process.join()
    return result


def _load(host: str, port: int, requests: Sequence[bytes], connections: int, sender) -> None:  # type: ignore[no-untyped-def]
    pending = iter(requests)
    statuses: dict[int, int] = {}
    with selectors.DefaultSelector() as selector:
        for _ in range(connections):
            connection = socket.create_connection((host, port))
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            selector.register(connection, selectors.EVENT_READ)
        started = time.perf_counter()
        for key in list(selector.get_map().values()):
            _send_next(selector, key.fileobj, pending)  # type: ignore[arg-type]
        while selector.get_map():
            for key, _ in selector.select():
                connection = key.fileobj  # type: ignore[assignment]
                reply = connection.recv(4096)
                if not reply:
                    raise ConnectionError("the server closed the connection")
                status = int(reply[9:12])
                statuses[status] = statuses.get(status, 0) + 1
                _send_next(selector, connection, pending)
        sender.send(LoadResult(statuses, time.perf_counter() - started))


def _send_next(selector: selectors.BaseSelector, connection: socket.socket, pending: Iterator[bytes]) -> None:
    request = next(pending, None)
    if request is None:
        selector.unregister(connection)
        connection.close()
        return
    connection.sendall(request)
