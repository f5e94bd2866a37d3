"""The one error of the settings, the list of problems that it is made of, and their words."""

import difflib
from collections.abc import Iterable
from typing import Any, Self

from pydantic_core import ErrorDetails

from callguard.config.layers import Place
from callguard.config.urls import masked_url

_MAX_SHOWN = 60


class ConfigurationError(Exception):
    """Settings with which CallGuard does not start. Trying again does not help.

    The message has one line for each problem: the setting's name, what is wrong, and what to write. It holds no
    secret.
    """

    @classmethod
    def of(cls, lines: Iterable[str]) -> Self:
        """Return the error of these problems."""
        return cls("\n".join(["CallGuard does not start with these settings:", *lines]))


class Problems:
    """Everything that is wrong with the settings, collected so that one start shows all of it."""

    def __init__(self) -> None:
        """Start with none."""
        self._lines: dict[str, None] = {}

    def __bool__(self) -> bool:
        return bool(self._lines)

    def add(self, place: Place, wrong: str, example: object = None) -> None:
        """Note what is wrong at `place`, once. `example` is a value that would be right there."""
        advice = "" if example is None else f" Write for example {place.assignment(example)}"
        end = "" if wrong.endswith("?") else "."
        # A value may hold anything, also line breaks; a problem is one line.
        self._lines[" ".join(f"{place.name}: {wrong}{end}{advice}".split())] = None

    def demand_none(self) -> None:
        """Raise them all.

        Raises:
            ConfigurationError: there is at least one.
        """
        if self._lines:
            raise ConfigurationError.of(self._lines)


def unknown(name: str, known: Iterable[str], prefix: str = "") -> str:
    """Return what to say of a name that is not among `known`, with the nearest that is.

    A `prefix` that all of them have is not compared: it would make everything look alike.
    """
    candidates = {k.removeprefix(prefix).casefold(): k for k in known}
    near = difflib.get_close_matches(name[len(prefix) :].casefold(), candidates, n=1)
    return f"is not a setting; did you mean {candidates[near[0]]}?" if near else "is not a setting; remove it"


def shown(value: Any) -> str:
    """Return a value for an error message: short, and with whatever a URL may hold of secrets masked."""
    text = masked_url(value) if isinstance(value, str) else value
    quoted = f'"{text}"' if isinstance(text, str) else str(text)
    return quoted if len(quoted) <= _MAX_SHOWN else f"{quoted[:_MAX_SHOWN]}..."


def wrong(error: ErrorDetails, *, secret: bool = False) -> str:
    """Return a pydantic error as "should be ..., not ...", without the value if it is `secret`."""
    cause = error.get("ctx", {}).get("error")
    if error["type"] == "missing":
        return "is needed and not set"
    said = str(cause) if isinstance(cause, ValueError) else _plain(error["msg"])
    return said if secret else f"{said}, not {shown(error['input'])}"


def _plain(message: str) -> str:
    """`Input should be a valid number, unable to parse ...` -> `should be a valid number`."""
    said = message.removeprefix("Input ").partition(", unable")[0].partition(", got")[0]
    if said.startswith("is not a valid path"):
        return "should be a path"
    return said.replace("a valid tuple", "a list")
