"""The Lua scripts, one atomic operation a file."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import sha1
from importlib import resources
from importlib.resources.abc import Traversable
from typing import Any

from hiredis import pack_command
from redis import Connection
from redis.exceptions import NoScriptError, ResponseError

from callguard.store.connection import translated_errors
from callguard.store.script_connections import ScriptConnections

Argument = str | int | float

Call = tuple[str, Sequence[str], Sequence[Argument]]
"""A script's name, keys and arguments."""

CALLS_AT_ONCE = 250
"""The number of scripts in one round trip: enough to save nearly all of its cost."""

# Redis has no modules: code that several scripts share is put into their text, where a line asks for it.
_INCLUDE = re.compile(r"^-- include (parts/[a-z_]+\.lua)$", re.MULTILINE)


@dataclass(frozen=True, slots=True)
class _Script:
    text: str
    digest: str


class Scripts:
    """Runs `store/lua/<name>.lua`, and loads the scripts again into a server that has lost them."""

    def __init__(self, connections: ScriptConnections) -> None:
        """Read every script; nothing is sent yet."""
        self._connections = connections
        self._scripts = {
            file.name.removesuffix(".lua"): _script(assembled(file.name))
            for file in _folder().iterdir()
            if file.name.endswith(".lua")
        }

    def run(self, name: str, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """Run a script and return its raw reply.

        It uses a connection directly: redis-py's layers above (retries, metrics, callbacks) cost as much as the
        script does, and we want no retries.

        Raises:
            StoreUnavailable: Redis did not answer; the script may or may not have run.
        """
        script = self._scripts[name]
        with translated_errors(), self._connections.one() as connection:
            try:
                return _evaluate(connection, "EVALSHA", script.digest, keys, arguments)
            except NoScriptError:
                return _evaluate(connection, "EVAL", script.text, keys, arguments)

    def run_each(self, calls: Sequence[Call]) -> list[Any]:
        """Run many scripts, `CALLS_AT_ONCE` in one round trip; return their raw replies.

        Each is atomic by itself. Only for scripts that may be repeated: where one of them fails, others have run.

        Raises:
            StoreUnavailable: as `run`.
        """
        replies: list[Any] = []
        for start in range(0, len(calls), CALLS_AT_ONCE):
            some = [(self._scripts[name], keys, args) for name, keys, args in calls[start : start + CALLS_AT_ONCE]]
            with translated_errors(), self._connections.one() as connection:
                try:
                    replies += _evaluate_each(connection, some)
                except NoScriptError:
                    for script in {script for script, _, _ in some}:
                        _load(connection, script)
                    replies += _evaluate_each(connection, some)
        return replies

    def read_each(self, wanted: Sequence[Sequence[tuple[str, str]]]) -> list[list[Any]]:
        """Read of many accounts what `read` reads of one; each account's at one moment, all in a few round trips.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        return self.run_each([reading(of_one) for of_one in wanted])

    def fields_each(self, keys: Sequence[str], *fields: str) -> list[list[Any]]:
        """Return the same fields of many hashes, in a few round trips; a missing one is None.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        replies: list[list[Any]] = []
        for start in range(0, len(keys), CALLS_AT_ONCE):
            some = [("HMGET", key, *fields) for key in keys[start : start + CALLS_AT_ONCE]]
            with translated_errors(), self._connections.one() as connection:
                replies += _ask_each(connection, some)
        return replies

    def ask_each(self, commands: Sequence[Sequence[Argument]]) -> list[Any]:
        """Return the raw replies to plain commands, all in one round trip. Each must be cheap.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        with translated_errors(), self._connections.one() as connection:
            return _ask_each(connection, commands)

    def read(self, *wanted: tuple[str, str]) -> list[Any]:
        """Read several keys of one account at one moment, also from a full server.

        Each of `wanted` is a key and what to read of it: `HGETALL`, `ZCARD`, `HMGET field field`. The replies are
        raw: a hash is a flat list.

        Raises:
            StoreUnavailable: Redis did not answer.
        """
        reply: list[Any] = self.run(*reading(wanted))
        return reply


def reading(wanted: Sequence[tuple[str, str]]) -> Call:
    """Return the call that reads what `Scripts.read` is told."""
    return "read_together", [key for key, _ in wanted], [word for _, what in wanted for word in _words(what)]


@lru_cache(maxsize=64)  # what is read of many accounts is the same for all
def _words(what: str) -> tuple[str, ...]:
    words = what.split()
    return str(len(words)), *words


def pairs(flat: Sequence[Any]) -> dict[str, Any]:
    """Return a hash, or what has scores, from its flat reply."""
    return dict(zip(flat[::2], flat[1::2], strict=True))


def assembled(file_name: str) -> str:
    """Return the text of a script as Redis gets it: with all parts that it needs, each once."""
    folder, put_in = _folder(), set[str]()

    def text(name: str) -> str:
        put_in.add(name)
        return _INCLUDE.sub(
            lambda line: "" if line[1] in put_in else text(line[1]), folder.joinpath(name).read_text("utf-8")
        )

    return text(file_name)


def _folder() -> Traversable:
    return resources.files("callguard.store") / "lua"


def _evaluate(
    connection: Connection, command: str, script: str, keys: Sequence[str], arguments: Sequence[Argument]
) -> Any:
    # A connection that fails in here closes itself, so that a late reply is never taken for another's.
    packed = _pack((command, script, len(keys), *keys, *arguments))
    connection.send_packed_command([packed])  # type: ignore[no-untyped-call]
    return connection.read_response()


def _evaluate_each(
    connection: Connection, calls: Sequence[tuple[_Script, Sequence[str], Sequence[Argument]]]
) -> list[Any]:
    return _ask_each(
        connection, [("EVALSHA", script.digest, len(keys), *keys, *args) for script, keys, args in calls]
    )


def _ask_each(connection: Connection, commands: Sequence[Sequence[Argument]]) -> list[Any]:
    packed = b"".join([_pack(command) for command in commands])
    connection.send_packed_command([packed])  # type: ignore[no-untyped-call]
    replies: list[Any] = []
    try:
        for _ in commands:
            # All replies are read, also behind an error: the connection is used again.
            try:
                replies.append(connection.read_response())
            except ResponseError as error:
                replies.append(error)
    except BaseException:
        connection.disconnect()  # type: ignore[no-untyped-call]
        raise
    for reply in replies:
        if isinstance(reply, ResponseError):
            raise reply
    return replies


def _load(connection: Connection, script: _Script) -> None:
    connection.send_packed_command([_pack(("SCRIPT", "LOAD", script.text))])  # type: ignore[no-untyped-call]
    connection.read_response()


_pack: Any = pack_command  # its annotation says a tuple of one; it takes any


def _script(text: str) -> _Script:
    # Redis names scripts by their SHA-1; nothing is secured by it.
    return _Script(text, sha1(text.encode(), usedforsecurity=False).hexdigest())
