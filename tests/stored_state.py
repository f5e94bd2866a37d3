"""What a Redis holds, as JSON: every key with its type, value and expiry."""

from collections.abc import Callable
from typing import Any

import redis

State = dict[str, dict[str, Any]]

_READ: dict[str, Callable[[Any, str], Any]] = {
    "string": lambda client, key: client.get(key),
    "hash": lambda client, key: dict(sorted(client.hgetall(key).items())),
    "list": lambda client, key: client.lrange(key, 0, -1),
    "set": lambda client, key: sorted(client.smembers(key)),
    "zset": lambda client, key: client.zrange(key, 0, -1, withscores=True),
    "stream": lambda client, key: client.xrange(key),
}
_WRITE: dict[str, Callable[[Any, str, Any], Any]] = {
    "string": lambda client, key, value: client.set(key, value),
    "hash": lambda client, key, value: client.hset(key, mapping=value),
    "list": lambda client, key, value: client.rpush(key, *value),
    "set": lambda client, key, value: client.sadd(key, *value),
    "zset": lambda client, key, value: client.zadd(key, dict(value)),
    "stream": lambda client, key, value: [client.xadd(key, fields, id=place) for place, fields in value],
}


def read_state(url: str) -> State:
    """Return everything that the server at `url` holds; expiries in ms, -1 for none. Bytes survive JSON."""
    with _client(url) as client:
        state = {}
        for key in sorted(client.scan_iter()):
            kind = client.type(key)
            state[key] = {"type": kind, "expires_in_ms": client.pttl(key), "value": _READ[kind](client, key)}
        return state


def write_state(url: str, state: State) -> None:
    """Write what `read_state` has returned; expiries begin anew."""
    with _client(url) as client:
        for key, held in state.items():
            _WRITE[held["type"]](client, key, _encoded(held["value"]))
            if held["expires_in_ms"] > 0:
                client.pexpire(key, held["expires_in_ms"])


def _encoded(value: Any) -> Any:
    if isinstance(value, str):
        return value.encode(errors="surrogateescape")
    if isinstance(value, dict):
        return {_encoded(name): _encoded(held) for name, held in value.items()}
    return [_encoded(held) for held in value] if isinstance(value, list) else value


def _client(url: str) -> Any:
    return redis.Redis.from_url(url, decode_responses=True, encoding_errors="surrogateescape")
