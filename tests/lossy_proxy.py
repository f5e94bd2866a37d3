"""A proxy before Redis that loses replies: the server has done its work, the client never hears of it."""

import socket
import threading
from collections.abc import Callable
from pathlib import Path


class LossyProxy:
    """Passes bytes between a Unix socket of its own and the server's; closes instead of some replies.

    `loses(n)` says whether the reply to the n-th EVALSHA, counted from 0, is lost.
    """

    def __init__(self, path: Path, server_path: str, loses: Callable[[int], bool]) -> None:
        self._server_path = server_path
        self._loses = loses
        self._count = 0
        self._lock = threading.Lock()
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self.url = f"unix://{path}"
        self.lost = 0
        self._threads: list[threading.Thread] = []
        self._open: set[socket.socket] = set()
        self._start(self._accept)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self._open):
            connection.shutdown(socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(5)

    def _start(self, target: Callable[..., None], *args: object) -> None:
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._start(self._serve, client)

    def _serve(self, client: socket.socket) -> None:
        """One request, one reply, as this client's commands go."""
        with client, socket.socket(socket.AF_UNIX) as server:
            server.connect(self._server_path)
            self._open.add(client)
            while request := _received(client):
                server.sendall(request)
                reply = _received(server)
                if b"EVALSHA" in request and self._is_lost():
                    break
                client.sendall(reply)
            self._open.discard(client)

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
