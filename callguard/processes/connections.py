"""The connections of one web process: each has a deadline for what it does, and the oldest give way to new ones.

What a peer does within a connection costs it nothing: it may send a byte a minute, or ask and never read. So it
has so many seconds for the whole of a head, a body or an answer, however busy it looks meanwhile.
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
"""For a whole body. Twilio sends one in a single packet."""

ANSWER_SECONDS = 5.0
"""For reading a whole answer."""

WORK_SECONDS = 30.0
"""For our own work on a request. What it waits for is bounded nearer by; this is for what was forgotten."""

_AT_ONCE = struct.pack("ii", 1, 0)


class Connection:
    """One connection, and how long it may go on with what it does."""

    __slots__ = ("_monotonic", "_socket", "deadline", "is_body", "is_spent")

    def __init__(self, peer: socket.socket, seconds: float, monotonic: Callable[[], float]) -> None:
        """Give it `seconds` for its first request's head."""
        self._socket = peer
        self._monotonic = monotonic
        self.is_spent = False
        self.give(seconds)

    def give(self, seconds: float) -> None:
        """Let it go on for so long from now."""
        self.deadline = self._monotonic() + seconds
        self.is_body = False

    def give_body(self, seconds: float = BODY_SECONDS) -> None:
        """Let it send the rest of its request. If that takes longer, what it sent is all, and we still answer."""
        self.give(seconds)
        self.is_body = True

    def end(self) -> None:
        """End it as if its peer had: whoever waits for it sees that, and what the peer has not read is dropped."""
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
    """All that are open, the one that began longest ago with what it does first."""

    def __init__(self, most: int, monotonic: Callable[[], float]) -> None:
        """Keep `most` open at once; `monotonic` gives seconds."""
        self._most = most
        self._monotonic = monotonic
        self._open: OrderedDict[Connection, None] = OrderedDict()

    def __len__(self) -> int:
        return len(self._open)

    def add(self, peer: socket.socket, seconds: float) -> Connection:
        """Take a new one. Where there are too many, the oldest is ended: newcomers do not wait for the slow."""
        while len(self._open) >= self._most:
            oldest, _ = self._open.popitem(last=False)
            oldest.is_body = False
            oldest.end()
        connection = Connection(peer, seconds, self._monotonic)
        self._open[connection] = None
        return connection

    def renew(self, connection: Connection, seconds: float) -> None:
        """Let it begin with something new, for which it has `seconds`."""
        connection.give(seconds)
        if connection in self._open:
            self._open.move_to_end(connection)

    def remove(self, connection: Connection) -> None:
        """Forget one that is closed."""
        self._open.pop(connection, None)

    def end_overdue(self) -> None:
        """End those whose time is up."""
        now = self._monotonic()
        for connection in [each for each in self._open if each.deadline <= now]:
            connection.end()
            # Who could still send a body is answered; that may not take for ever either.
            connection.give(ANSWER_SECONDS)
