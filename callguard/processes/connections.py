"""The connections of one web process: each has a deadline, and the oldest are closed for new ones.

A connection costs a peer nothing: it may send a byte a minute, or send requests and never read the answers. So
each head, body and answer as a whole has a deadline in seconds, even while single bytes arrive.
"""

import _socket  # not `socket`: gevent's would raise an error of its own in whoever waits for the connection
import socket
import struct
from collections import OrderedDict
from collections.abc import Callable
from contextlib import suppress

CONNECTION = "callguard.connection"
"""The request's `Connection`, in its WSGI environment; only where `callguard.processes.web_worker` serves."""

BODY_SECONDS = 5.0
"""Seconds for a whole body. Twilio sends one in a single packet."""

ANSWER_SECONDS = 5.0
"""Seconds for the peer to read a whole answer."""

WORK_SECONDS = 30.0
"""Seconds for our own work on a request: a last bound, as each wait within it has a shorter one."""

_AT_ONCE = struct.pack("ii", 1, 0)


class Connection:
    """One connection, and the deadline of what it does now."""

    __slots__ = ("_monotonic", "_socket", "deadline", "is_body", "is_spent")

    def __init__(self, peer: socket.socket, seconds: float, monotonic: Callable[[], float]) -> None:
        """Give it `seconds` for its first request's head."""
        self._socket = peer
        self._monotonic = monotonic
        self.is_spent = False
        self.give(seconds)

    def give(self, seconds: float) -> None:
        """Set the deadline to `seconds` from now."""
        self.deadline = self._monotonic() + seconds
        self.is_body = False

    def give_body(self, seconds: float = BODY_SECONDS) -> None:
        """Give it time to send the rest of its request; what has come by then is all, and is answered."""
        self.give(seconds)
        self.is_body = True

    def end(self) -> None:
        """End it as if its peer had: waiting readers see that, and what the peer has not read is dropped."""
        self.is_spent = True
        how = socket.SHUT_RD if self.is_body else socket.SHUT_RDWR
        with suppress(OSError, ValueError):
            raw = _socket.socket(fileno=self._socket.fileno())
            try:
                if how == socket.SHUT_RDWR:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _AT_ONCE)
                raw.shutdown(how)
            finally:
                raw.detach()


class Connections:
    """All open connections; the one whose present activity began longest ago comes first."""

    def __init__(self, most: int, monotonic: Callable[[], float]) -> None:
        """Keep `most` open at once; `monotonic` gives seconds."""
        self._most = most
        self._monotonic = monotonic
        self._open: OrderedDict[Connection, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, peer: socket.socket, seconds: float) -> Connection:
        """Add a new connection. If there are too many, the oldest is ended, so that new ones get in."""
        while len(self._open) >= self._most:
            oldest, _ = self._open.popitem(last=False)
            oldest.is_body = False
            oldest.end()
        connection = Connection(peer, seconds, self._monotonic)
        self._open[connection] = None
        return connection

    def renew(self, connection: Connection, seconds: float) -> None:
        """Let it begin its next activity, with a deadline of `seconds`."""
        connection.give(seconds)
        if connection in self._open:
            self._open.move_to_end(connection)

    def remove(self, connection: Connection) -> None:
        """Forget one that is closed."""
        self._open.pop(connection, None)

    def end_overdue(self) -> None:
        """End the connections past their deadline."""
        now = self._monotonic()
        for connection in [each for each in self._open if each.deadline <= now]:
            connection.end()
            # A peer whose body took too long still gets an answer, within a deadline too.
            connection.give(ANSWER_SECONDS)
