"""The Lua scripts, one atomic operation a file, loaded once per connection."""

from collections.abc import Sequence
from importlib import resources
from typing import Any

from redis import Redis

from callguard.store.connection import translated_errors

Argument = str | int | float


class Scripts:
    """Runs `store/lua/<name>.lua`. A server that has lost its scripts is given them again."""

    def __init__(self, connection: Redis) -> None:
        """Read every script; nothing is sent yet."""
        folder = resources.files("callguard.store") / "lua"
        self._scripts = {
            file.name.removesuffix(".lua"): connection.register_script(file.read_text("utf-8"))
            for file in folder.iterdir()
            if file.name.endswith(".lua")
        }

    def run(self, name: str, keys: Sequence[str], arguments: Sequence[Argument]) -> Any:
        """Run a script and return its raw reply.

        Raises:
            StoreUnavailable: Redis did not answer; the script may or may not have run.
        """
        with translated_errors():
            return self._scripts[name](keys=keys, args=arguments)
