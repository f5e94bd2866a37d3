"""Clients of Redis, which leave a server that can no longer serve them.

After a failover the former master is a replica, and connections to it may stay open: behind a proxy, or where
somebody has typed REPLICAOF. It refuses every write on them for ever. Such an error is the connection's fault, not
the command's, so the connection is closed, and the next command connects anew.

As a program it reads settings and their URLs as a JSON object, prints what is wrong with them, and exits with 3.
"""

import json
import re
import sys
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from redis import Connection, ConnectionPool, Redis, SSLConnection, UnixDomainSocketConnection
from redis.connection import parse_url
from redis.exceptions import RedisError

_ELSEWHERE = re.compile(
    r"\b(?:"
    "READONLY"  # a replica: the master is another
    "|MASTERDOWN"  # a replica that has lost its master
    "|NOREPLICAS"  # a master that its replicas have left, perhaps for another
    "|LOADING"  # it has just started, and may not be the master when it is ready
    "|CLUSTERDOWN"
    "|UNBLOCKED"  # it became a replica while we waited
    "|NOAUTH|WRONGPASS"  # its users have changed since we connected
    r")\b"
)
"""Without MISCONF (no disk) and OOM: another connection leads to the same server, in the same state."""


def leads_elsewhere(error: RedisError) -> bool:
    """Return whether an error shows that a new connection may be served, though this one is not."""
    return _ELSEWHERE.search(f"{getattr(error, 'status_code', None)} {error}") is not None


if TYPE_CHECKING:
    _Base = Connection
else:
    _Base = object


class _Renewed(_Base):
    _greets = False

    def connect_check_health(self, *args: Any, **kwargs: Any) -> None:
        # The library passes over some errors of the greeting, and would connect anew in the midst of it.
        self._greets = True
        try:
            super().connect_check_health(*args, **kwargs)
        finally:
            self._greets = False

    def read_response(self, *args: Any, **kwargs: Any) -> Any:
        try:
            return super().read_response(*args, **kwargs)
        except RedisError as error:
            if leads_elsewhere(error) and not self._greets:
                self.disconnect()  # type: ignore[no-untyped-call]
            raise


class _RenewedConnection(_Renewed, Connection):
    pass


class _RenewedSSLConnection(_Renewed, SSLConnection):
    pass


class _RenewedUnixConnection(_Renewed, UnixDomainSocketConnection):
    pass


_RENEWED = {
    Connection: _RenewedConnection,
    SSLConnection: _RenewedSSLConnection,
    UnixDomainSocketConnection: _RenewedUnixConnection,
}


def redis_client(url: str, pool_class: type[ConnectionPool] = ConnectionPool, **wanted: Any) -> Redis:
    """Return a client for `url`; nothing is sent before the first command.

    `wanted` are arguments of the pool and its connections. They win over options in the URL, which must not
    change the guard's timeouts and decoding.

    Raises:
        ValueError: the library does not accept the URL. Unknown options are refused only with the first command:
            `problems_of` finds them before.
    """
    options = {**parse_url(url), **wanted}  # type: ignore[no-untyped-call]
    kind = options.pop("connection_class", Connection)
    return Redis(connection_pool=pool_class(connection_class=_RENEWED[kind], **options))


def problems_of(urls: Mapping[str, str]) -> Iterator[str]:
    """Yield a line for each setting whose URL the library does not accept; of the URL it shows only the option."""
    for name, url in urls.items():
        try:
            # The library looks at the options when it makes a connection.
            redis_client(url).connection_pool.make_connection()
        except (TypeError, ValueError, RedisError) as error:
            yield f"{name}: {_in_words(url, str(error))}"


def _in_words(url: str, said: str) -> str:
    scheme = url.partition("://")[0]
    named = re.search(r"'(\w+)'", said)
    if named and said.startswith("Invalid value"):
        return f"option {named[1]} has a value that it cannot have."
    option = f"option {named[1]}" if named else "an option or a value"
    advice = " Options that begin with ssl_ go with rediss://." if scheme == "redis" else ""
    return f"has {option} that does not go with {scheme}://.{advice} Write it without, or see redis-py's from_url."


if __name__ == "__main__":
    found = "\n".join(problems_of(json.load(sys.stdin)))
    sys.stdout.write(found)
    sys.exit(3 if found else 0)
