"""A value as it was written, and where: so that an error can name the place in its writer's words."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, slots=True)
class Place:
    """Where a setting is, or would be, written.

    Attributes:
        name: as an error says it: `CALLGUARD_POLICY__CPS` or `callguard.toml: accounts[1].cps`.
        key: what stands before the `=`.
        in_file: True in a TOML file, False in the environment.
    """

    name: str
    key: str
    in_file: bool = False

    def assignment(self, value: object) -> str:
        """Return the text that gives `value` to this setting."""
        if self.in_file:
            return f"{self.key} = {json.dumps(value)}"
        items = value if isinstance(value, list | tuple) else [value]
        return f"{self.key}={','.join(str(item) for item in items)}"

    def item(self, index: int) -> "Place":
        """Return the place of one entry of a list."""
        name = f"{self.name}[{index}]" if self.in_file else f"{self.name}, entry {index + 1}"
        return Place(name, self.key, self.in_file)

    def entry(self, index: Sequence[object]) -> "Place":
        """Return the place of the entry that pydantic gives `index` of, or this place without one."""
        return self.item(index[0]) if index and isinstance(index[0], int) else self

    def within(self, key: str) -> "Place":
        """Return the place of a key in the table that stands here."""
        return Place(f"{self.name}.{key}", key, True)


def in_environment(name: str) -> Place:
    """Return the place of an environment variable."""
    return Place(name, name)


def in_file(file: str, key: str) -> Place:
    """Return the place of a top-level key in a TOML file."""
    return Place(f"{file}: {key}", key, in_file=True)


@dataclass(frozen=True, slots=True)
class Written:
    """A value, not yet checked, and its place."""

    value: Any
    place: Place


Layer = Mapping[str, Written]
"""Values by key, from one source or from several laid over one another."""


def table(value: Mapping[str, Any], place: Place) -> dict[str, Written]:
    """Return the entries of a TOML table that stands at `place`."""
    return {key: Written(entry, place.within(key)) for key, entry in value.items()}


def entries(value: Any) -> Any:
    """Return a comma list as a list without blanks; anything else as it is, for pydantic to judge."""
    if isinstance(value, str):
        return [entry for part in value.split(",") if (entry := part.strip())]
    return value
