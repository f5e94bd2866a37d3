"""Connections for the scripts, kept at hand between two of them."""

import os
import time
from collections.abc import Iterator
from contextlib import contextmanager

from redis import Connection, Redis
from redis.exceptions import RedisError

from callguard.redis_client import leads_elsewhere

TRUSTED_SECONDS = 1.0


class ScriptConnections:
    """Lends connections of a pool of its own, without checks of those used a moment ago.

    redis-py asks the kernel before each command whether the server has hung up, which under gevent costs a third
    of a callback's way to Redis. Here that is asked only after a moment of rest; a connection that breaks within
    the moment shows as an error.
    """

    def __init__(self, client: Redis) -> None:
        """Take connections from the client's pool; the client must not be used for anything else."""
        self._pool = client.connection_pool
        self._resting: list[tuple[Connection, float]] = []
        self._pid = os.getpid()

    @contextmanager
    def one(self) -> Iterator[Connection]:
        """Lend a connection; after an error it goes back to the pool, which renews it."""
        connection = self._take()
        try:
            yield connection
        except BaseException as error:
            self._pool.release(connection)
            if isinstance(error, RedisError) and leads_elsewhere(error):
                self._leave_server()
            raise
        self._resting.append((connection, time.monotonic()))

    def _leave_server(self) -> None:
        """Close the other connections too: each would fail likewise, and cost a callback."""
        resting, self._resting = self._resting, []
        for connection, _ in resting:
            self._pool.release(connection)
        self._pool.disconnect(inuse_connections=False)

    def _take(self) -> Connection:
        if self._pid != os.getpid():  # forked: these are the parent's
            self._resting, self._pid = [], os.getpid()
        while self._resting:
            connection, since = self._resting.pop()
            if time.monotonic() - since < TRUSTED_SECONDS:
                return connection
            self._pool.release(connection)
        return self._pool.get_connection()
