"""A listening socket, each of whose connections is served in a thread of its own."""

import socket
import threading
from collections.abc import Callable
from contextlib import suppress


class ThreadedListener:
    """Serves with `serve`; what is put into `open` is shut when it closes."""

    def __init__(self, listener: socket.socket) -> None:
        self.open: set[socket.socket] = set()
        self._listener = listener
        self._threads: list[threading.Thread] = []
        self.start(self._accept)

    def serve(self, client: socket.socket) -> None:
        raise NotImplementedError

    def start(self, target: Callable[..., None], *args: object) -> None:
        """Do something in a thread that ends before `close` does."""
        thread = threading.Thread(target=target, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for connection in list(self.open):
            shut(connection)
        for thread in self._threads:
            thread.join(5)

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.start(self.serve, client)


def shut(connection: socket.socket) -> None:
    """Shut a connection that may be shut already."""
    with suppress(OSError):
        connection.shutdown(socket.SHUT_RDWR)
