"""A proxy before Redis that loses replies: the server has done its work, the client never hears of it."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path

from tests.threaded_listener import ThreadedListener


class LossyProxy(ThreadedListener):
    """Passes bytes between a Unix socket of its own and the server's; closes instead of some replies.

    `loses(n)` says whether the reply to the n-th EVALSHA, counted from 0, is lost.
    """

    def __init__(self, path: Path, server_path: str, loses: Callable[[int], bool]) -> None:
        self._server_path = server_path
        self._loses = loses
        self._count = 0
        self._lock = threading.Lock()
        self.url = f"unix://{path}"
        self.lost = 0
        listener = socket.socket(socket.AF_UNIX)
        listener.bind(str(path))
        listener.listen()
        super().__init__(listener)

    def serve(self, client: socket.socket) -> None:
        """One request, one reply, as this client's commands go."""
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._server_path)
            self.open.add(client)
            while request := _received(client):
                server.sendall(request)
                reply = _received(server)
                if b"EVALSHA" in request and self._is_lost():
                    break
                client.sendall(reply)
            self.open.discard(client)

    def _is_lost(self) -> bool:
        with self._lock:
            lost = self._loses(self._count)
            self._count += 1
            self.lost += lost
            return lost


def _received(connection: socket.socket) -> bytes:
    try:
        return connection.recv(65536)
    except OSError:
        return b""
