"""Policies: the defaults for all accounts, and what one account has of its own."""

from collections.abc import Mapping
from dataclasses import fields
from enum import Enum
from typing import Any

from pydantic import TypeAdapter, ValidationError

from callguard.config import policy_texts
from callguard.config.errors import Problems, shown, unknown, wrong
from callguard.config.layers import Layer, Place, Written, entries, in_environment
from callguard.domain.policy import Policy

ENV_PREFIX = "CALLGUARD_POLICY__"

POLICY_KEYS = tuple(f.name for f in fields(Policy))

_DEFAULTS = Policy()

_POLICY = TypeAdapter(Policy)
"""Made once: it takes as long as reading hundreds of accounts with it."""


def env_name(key: str) -> str:
    """Return the environment variable of a policy key."""
    return ENV_PREFIX + key.upper()


def policy_of_environment(environ: Mapping[str, str]) -> dict[str, Written]:
    """Return the policy keys that the environment sets; a blank one counts as not set."""
    written = {k: (environ.get(env_name(k), "").strip(), in_environment(env_name(k))) for k in POLICY_KEYS}
    return {key: Written(value, place) for key, (value, place) in written.items() if value}


def read_policy(layer: Layer, problems: Problems) -> Policy:
    """Return the policy that `layer` sets, with defaults for the rest.

    What is wrong is noted among the problems; unknown keys are passed over (`refuse_unknown` notes them).
    """
    known = {key: written for key, written in layer.items() if key in POLICY_KEYS}
    checked = {key: _checked(key, written, problems) for key, written in known.items()}
    values = {key: value for key, value in checked.items() if value is not None}
    try:
        return _POLICY.validate_python(values)
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            key, *index = detail["loc"]
            problems.add(layer[str(key)].place.entry(index), wrong(detail), example(str(key)))
    return _DEFAULTS


def refuse_unknown(layer: Layer, also_known: tuple[str, ...], problems: Problems) -> None:
    """Note every key of a file's table that is neither a policy key nor in `also_known`."""
    for key in sorted(layer.keys() - {*POLICY_KEYS, *also_known}):
        problems.add(layer[key].place, unknown(key, (*POLICY_KEYS, *also_known)))


def example(key: str) -> Any:
    """Return a value that the policy key may have."""
    if key in policy_texts.NUMBER_LISTS:
        return policy_texts.EXAMPLE_NUMBERS
    if key in policy_texts.TEXTS:
        return policy_texts.EXAMPLES[key]
    default = getattr(_DEFAULTS, key)
    if isinstance(default, Enum):
        return default.value
    if isinstance(default, bool):
        return "true"
    return int(default) if isinstance(default, float) and default.is_integer() else default


def _checked(key: str, written: Written, problems: Problems) -> Any:
    """Check what pydantic would not; None stands for what has been noted as a problem."""
    value, place = written.value, written.place
    if isinstance(value, bool) and not isinstance(getattr(_DEFAULTS, key), bool):
        problems.add(place, f"should not be {str(value).lower()}", example(key))
        return None
    if key in policy_texts.NUMBER_LISTS:
        return _numbers(key, entries(value), place, problems)
    if key in policy_texts.TEXTS and isinstance(value, str):
        return _text(key, value, place, problems)
    return value


def _text(key: str, value: str, place: Place, problems: Problems) -> Any:
    try:
        return policy_texts.TEXTS[key](value)
    except ValueError as error:
        problems.add(place, f"{error}, not {shown(value)}", example(key))
    return None


def _numbers(key: str, value: Any, place: Place, problems: Problems) -> Any:
    if not isinstance(value, list):
        problems.add(place, f"should be a list of numbers, not {shown(value)}", policy_texts.EXAMPLE_NUMBERS)
        return None
    good = []
    for index, entry in enumerate(value):
        try:
            good.append(policy_texts.number(str(entry), key))
        except ValueError as error:
            problems.add(place.item(index), f"{shown(entry)} {error}", policy_texts.EXAMPLE_NUMBERS)
    return good
