"""Reading the TOML file that CALLGUARD_CONFIG names."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from callguard.config.environment import CONFIG_FILE, ELSEWHERE, PREFIX, expanded
from callguard.config.errors import Problems, unknown
from callguard.config.layers import Place, Written, in_environment, in_file, table

MAX_LEVELS = 12
"""No setting has half as many, one within another."""

_TOO_DEEP = "the file {name} has lists or tables too deep within one another; no setting needs that"


@dataclass(frozen=True, slots=True)
class TomlFile:
    """What the file says, split by what is done with it; nothing of it is checked but its shape.

    Attributes:
        name: as errors call it; empty without a file.
        general: the settings that the environment has too.
        policy: the table `[policy]`.
        accounts: the tables `[[accounts]]`, each with its place.
        is_readable: False if there is a file that says nothing because it cannot be read.
    """

    name: str = ""
    general: dict[str, Written] = field(default_factory=dict)
    policy: dict[str, Written] = field(default_factory=dict)
    accounts: list[tuple[Place, dict[str, Written]]] = field(default_factory=list)
    is_readable: bool = True

    def named_variables(self) -> frozenset[str]:
        """Return the environment variables that the accounts' keys `..._env` name."""
        tables = [layer for _, layer in self.accounts]
        pointers = ("auth_token_env", "api_key_env", "api_secret_env")
        values = [layer[name].value for layer in tables for name in pointers if name in layer]
        keys = [layer["shared_keys"].value for layer in tables if "shared_keys" in layer]
        listed = [key for value in keys if isinstance(value, list) for key in value]
        values += [key.get("secret_env") for key in listed if isinstance(key, dict)]
        return frozenset(value for value in values if isinstance(value, str))


def read_file(environ: Mapping[str, str], known: tuple[str, ...], problems: Problems) -> TomlFile:
    """Return what the file says. `known` are the top-level keys beside `policy` and `accounts`."""
    name = environ.get(CONFIG_FILE, "").strip()
    if not name:
        return TomlFile()
    content = _content(name, expanded(name, environ), problems)
    if content is None:
        return TomlFile(name, is_readable=False)
    _refuse_unknown_keys(name, content, known, problems)
    return TomlFile(
        name,
        general={key: Written(content[key], in_file(name, key)) for key in known if key in content},
        policy=_policy_table(content.get("policy", {}), in_file(name, "policy"), problems),
        accounts=_account_tables(content.get("accounts", []), in_file(name, "accounts"), problems),
    )


def _content(name: str, path: Path, problems: Problems) -> dict[str, Any] | None:
    place = in_environment(CONFIG_FILE)
    try:
        content = tomllib.loads(path.read_bytes().decode())
        if _is_shallow(content):
            return content
        wrong = _TOO_DEEP.format(name=name)
    except OSError as error:
        wrong = f"the file {name} cannot be read ({error.strerror}); name a TOML file, or unset it"
    except UnicodeDecodeError as error:
        wrong = f"the file {name} is not UTF-8 at byte {error.start}; save it as UTF-8"
    except tomllib.TOMLDecodeError as error:
        wrong = f"the file {name} is not TOML: {error}; correct that line"
    except RecursionError:
        wrong = _TOO_DEEP.format(name=name)
    problems.add(place, wrong)
    return None


def _is_shallow(content: Any) -> bool:
    """Return whether a value is shallow enough: deeper ones exhaust the stack when shown or compared."""
    level = [content]
    for _ in range(MAX_LEVELS):
        tables = [one.values() if isinstance(one, dict) else one for one in level if isinstance(one, dict | list)]
        level = [below for table_ in tables for below in table_]
    return not level


def _refuse_unknown_keys(
    name: str, content: Mapping[str, Any], known: tuple[str, ...], problems: Problems
) -> None:
    for key in sorted(content.keys() - {*known, "policy", "accounts"}):
        variable = PREFIX + key.upper()
        if variable in (CONFIG_FILE, *ELSEWHERE):
            problems.add(in_file(name, key), f"is read from the environment only, as {variable}; remove it here")
        else:
            problems.add(in_file(name, key), unknown(key, (*known, "policy", "accounts")))


def _policy_table(value: Any, place: Place, problems: Problems) -> dict[str, Written]:
    if isinstance(value, dict):
        return table(value, place)
    problems.add(place, "should be a table: write [policy] on a line of its own, and the keys below it")
    return {}


def _account_tables(value: Any, place: Place, problems: Problems) -> list[tuple[Place, dict[str, Written]]]:
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        problems.add(place, "should be tables: write [[accounts]] on a line of its own, and the keys below it")
        return []
    return [(place.item(n), table(entry, place.item(n))) for n, entry in enumerate(value)]
