"""gunicorn's gevent worker, with a deadline for every request.

gunicorn bounds the head of a request (`keepalive`, five seconds in all), and nothing else: neither a body nor an
answer. Nor does it close old connections once all `worker_connections` are taken.
"""

import resource
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from socket import SO_SNDBUF, SOL_SOCKET
from typing import Any

import gevent
from gunicorn.workers.ggevent import GeventWorker

from callguard.processes.connections import ANSWER_SECONDS, CONNECTION, WORK_SECONDS, Connection, Connections

LOOK_SECONDS = 0.25
"""Seconds between two checks for connections past their deadline."""

CLOSING = 200
"""How many connections above `worker_connections` may be closing at the same time."""

OTHER_FILES = 300
"""File descriptors that are not used for connections to us: those to Redis, above all."""

MIN_CONNECTIONS = 50

MAX_UNREAD = 128 * 1024
"""Bytes of an answer that the kernel keeps for a peer that does not read (it takes twice as much memory)."""


class WebWorker(GeventWorker):  # type: ignore[misc]  # gunicorn has no types
    """Serves as gunicorn's gevent worker does, and ends what takes too long."""

    connections: Connections
    worker_connections: int
    wsgi: Any
    _of_greenlet: dict[Any, Connection]

    def init_process(self) -> None:
        """Start with as many connections as there are file descriptors: one more would raise an error."""
        most = max(min(self.worker_connections, _most_files() - OTHER_FILES - CLOSING), MIN_CONNECTIONS)
        self.connections, self._of_greenlet = Connections(most, time.monotonic), {}
        self.worker_connections = most + CLOSING
        super().init_process()

    def load_wsgi(self) -> None:
        """Load the app, and let it know its connections."""
        super().load_wsgi()
        self.wsgi = self._timed(self.wsgi)

    def run(self) -> None:
        """Serve, and end connections that are past their deadline."""
        gevent.spawn(self._look)
        super().run()

    def handle(self, listener: Any, client: Any, addr: Any) -> None:
        """Serve one connection to its end."""
        greenlet = gevent.getcurrent()
        with suppress(OSError):  # it is gone already: gunicorn will see that
            client.setsockopt(SOL_SOCKET, SO_SNDBUF, MAX_UNREAD)
        connection = self.connections.add(client, self.cfg.keepalive or WORK_SECONDS)
        self._of_greenlet[greenlet] = connection
        try:
            super().handle(listener, client, addr)
        finally:
            del self._of_greenlet[greenlet]
            self.connections.remove(connection)

    def timeout_ctx(self) -> Any:
        """Begin to wait for a request's head, unless the connection has had its time."""
        connection = self._of_greenlet[gevent.getcurrent()]
        if connection.is_spent:
            raise StopIteration
        # gunicorn's own timeout ends the wait; ours is for the answer to an error.
        self.connections.renew(connection, self.cfg.keepalive + ANSWER_SECONDS)
        return super().timeout_ctx()

    def handle_request(self, listener_name: Any, req: Any, sock: Any, addr: Any) -> Any:
        """Serve one request, and no other that was sent along with it.

        A peer that sends a hundred at once would have them all answered before anybody else has a turn. Neither
        Twilio nor a proxy does so; the answer says that the connection ends with it.
        """
        self.connections.renew(self._of_greenlet[gevent.getcurrent()], WORK_SECONDS)
        if _is_followed(req):
            req.force_close()
        return super().handle_request(listener_name, req, sock, addr)

    def _timed(self, app: Callable[..., Iterable[bytes]]) -> Callable[..., Iterable[bytes]]:
        def serve(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
            connection = environ[CONNECTION] = self._of_greenlet[gevent.getcurrent()]
            answer = app(environ, start_response)
            self.connections.renew(connection, ANSWER_SECONDS)
            return answer

        return serve

    def _look(self) -> None:
        while True:
            gevent.sleep(LOOK_SECONDS)
            self.connections.end_overdue()


def _is_followed(req: Any) -> bool:
    """Return whether data beyond this request has arrived, as far as its length is known."""
    came: int = req.unreader.buf.getbuffer().nbytes
    return came > 0 and came > getattr(req.body.reader, "length", came)


def _most_files() -> int:
    """Raise our limit of open files to the highest we may have, and return it."""
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    if most == resource.RLIM_INFINITY:
        most = 65_536
    with suppress(OSError, ValueError):
        resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    return resource.getrlimit(resource.RLIMIT_NOFILE)[0]
