"""The one error of the settings, and the list of problems that it is made of."""

from collections.abc import Iterable
from typing import Self

from callguard.config.written import Place


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
