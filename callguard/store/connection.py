"""Connections to Redis with bounded patience.

redis-py 8.1 waits up to 59 s for a hung server and repeats a command up to ten times. A repeat after a lost reply
would count twice, and Twilio hangs up after 15 s. So we wait half a second, and never repeat. Scripts count each
event once, so a *caller* may repeat.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from redis import BlockingConnectionPool, Redis
from redis.backoff import NoBackoff
from redis.exceptions import OutOfMemoryError, RedisError
from redis.retry import Retry

from callguard.errors import StoreUnavailable
from callguard.redis_client import redis_client

HEALTH_CHECK_SECONDS = 15


def connect(url: str, *, timeout: float = 0.5, connections: int = 32) -> Redis:
    """Return a client for `url` whose every wait (for a free connection, a connect, a reply) is `timeout` s.

    Nothing is sent before the first command.
    """
    return redis_client(
        url,
        BlockingConnectionPool,
        timeout=timeout,
        max_connections=connections,
        socket_timeout=timeout,
        socket_connect_timeout=timeout,
        retry=Retry(NoBackoff(), 0),
        health_check_interval=HEALTH_CHECK_SECONDS,
        decode_responses=True,
        protocol=2,
    )


@contextmanager
def translated_errors() -> Iterator[None]:
    """Turn redis-py's errors into `StoreUnavailable`, without the text of commands."""
    try:
        yield
    except RedisError as error:
        raise StoreUnavailable(_in_words(error)) from error


def _in_words(error: RedisError) -> str:
    told = _first_line(error)
    if isinstance(error, OutOfMemoryError):
        return f"Redis is full and takes nothing new: give it more memory (`maxmemory`), or make room. {told}"
    if told.startswith("MISCONF"):
        return (
            "Redis cannot write to its disk, so it changes nothing: make room on the disk of its data (nothing is "
            f"tripped or cancelled meanwhile). {told}"
        )
    return f"Redis did not answer: {type(error).__name__}: {told}"


def _first_line(error: RedisError) -> str:
    return str(error).partition("\n")[0][:200]
