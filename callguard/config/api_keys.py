"""Keys that open something: those of the operator API, and the tokens and secrets of Twilio."""

import re
from dataclasses import dataclass, field
from enum import Enum
from typing import Any

_SECRET = re.compile(r"[!-+\--~]{8,}")
_NAME = re.compile(r"[A-Za-z0-9_.-]{1,32}")


class Role(Enum):
    """What the holder of an API key may do: look, act too, or only what programs that create calls need.

    A `reporter` asks the gate and reports created calls; it can neither look around nor pause the guard.
    """

    VIEWER = "viewer"
    OPERATOR = "operator"
    REPORTER = "reporter"


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key of the operator API; `name` is what the audit trail shows."""

    name: str
    role: Role
    key: str = field(repr=False)


def secret(text: str) -> str:
    """Return a token, key or secret after checking its form.

    Raises:
        ValueError: it is too short, or holds what no secret of Twilio's holds.
    """
    if not _SECRET.fullmatch(text):
        raise ValueError("should be 8 or more printable characters without spaces or commas")
    return text


def api_key(text: Any) -> ApiKey:
    """Return the key that is written as `name:role:key`.

    Raises:
        ValueError: it is not.
    """
    name, role, key = [*str(text).split(":", 2), "", ""][:3]
    if not _NAME.fullmatch(name) or role not in {r.value for r in Role}:
        raise ValueError("should be name:role:key with the role viewer, operator or reporter")
    try:
        return ApiKey(name, Role(role), secret(key))
    except ValueError as error:
        raise ValueError(f"the key of {name} {error}") from None


def distinct(api_keys: tuple[ApiKey, ...]) -> tuple[ApiKey, ...]:
    """Return the keys, of which no two share a name or the key itself.

    Raises:
        ValueError: some do, so that an audit trail could not tell who did what.
    """
    if len({k.name for k in api_keys}) < len(api_keys) or len({k.key for k in api_keys}) < len(api_keys):
        raise ValueError("should have each name and each key only once")
    return api_keys
