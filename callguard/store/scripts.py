"""The Lua scripts, one atomic operation a file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha1
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from hiredis import pack_command
from redis import Connection
from redis.exceptions import NoScriptError

from callguard.store.connection import translated_errors
from callguard.store.script_connections import ScriptConnections

Argument = str | int | float

# Redis knows no modules: what several scripts share is put into their text, where a line asks for it.
_INCLUDE = re.compile(r"^-- include (parts/[a-z_]+\.lua)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Script:
    text: str
    digest: str


class Scripts:
    """Runs `store/lua/<name>.lua`. A server that has lost its scripts is given them again."""

    def __init__(self, connections: ScriptConnections) -> None:
        """Read every script; nothing is sent yet."""
        self._connections = connections
        folder = resources.files("callguard.store") / "lua"
        self._scripts = {
            file.name.removesuffix(".lua"): _script(_read(folder, file))
            for file in folder.iterdir()
            if file.name.endswith(".lua")
        }

    def run(self, name: str, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """Run a script and return its raw reply.

        It speaks to a connection itself: redis-py's layers above (retries, metrics, callbacks) cost as much as
        the script does, and we want no retries.

        Raises:
            StoreUnavailable: Redis did not answer; the script may or may not have run.
        """
        script = self._scripts[name]
        with translated_errors(), self._connections.one() as connection:
            try:
                return _evaluate(connection, "EVALSHA", script.digest, keys, arguments)
            except NoScriptError:
                return _evaluate(connection, "EVAL", script.text, keys, arguments)

    def read(self, *wanted: tuple[str, str]) -> list[Any]:
        """Read several keys of one account at one moment, also from a full server.

        Each of `wanted` is a key and what to read of it: `HGETALL`, `ZCARD`, `HMGET field field`. The replies are
        raw: a hash is a flat list.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        reply: list[Any] = self.run("read_together", [key for key, _ in wanted], [what for _, what in wanted])
        return reply


def pairs(flat: Sequence[Any]) -> dict[str, Any]:
    """Return a hash, or what has scores, from its flat reply."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _read(folder: Traversable, file: Traversable) -> str:
    return _INCLUDE.sub(lambda line: folder.joinpath(line[1]).read_text("utf-8"), file.read_text("utf-8"))


def _evaluate(
    connection: Connection, command: str, script: str, keys: Sequence[str], arguments: Sequence[Argument]
) -> Any:
    # A connection that fails in here closes itself, so that a late reply is never taken for another's.
    packed = _pack((command, script, len(keys), *keys, *arguments))
    connection.send_packed_command([packed])  # type: ignore[no-untyped-call]
    return connection.read_response()


_pack: Any = pack_command  # its annotation says a tuple of one; it takes any


def _script(text: str) -> _Script:
    # Redis names scripts by their SHA-1; nothing is secured by it.
    return _Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())
