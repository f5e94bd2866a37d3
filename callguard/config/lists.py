"""Lists: between commas in the environment, TOML lists in the file."""

from typing import Any


def entries(value: Any) -> Any:
    """Return a comma list as a list without blanks; anything else as it is, for pydantic to judge."""
    if isinstance(value, str):
        return [entry for part in value.split(",") if (entry := part.strip())]
    return value
