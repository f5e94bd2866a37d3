"""What opens an account: auth tokens and shared keys, from the environment or from a table of the file."""

from collections.abc import Mapping
from typing import Any

from callguard.config.accounts import SharedKey, SignatureAlgorithm
from callguard.config.api_keys import secret
from callguard.config.errors import Problems, shown, unknown
from callguard.config.layers import Layer, Place, Written, in_environment, table

TOKEN_KEYS = ("auth_token", "auth_tokens", "auth_token_env")

EXAMPLE_TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105  (an example)

_SHARED_KEY_KEYS = ("id", "secret", "secret_env", "algorithm")
_ALGORITHMS = tuple(a.value for a in SignatureAlgorithm)


def tokens_of_variable(name: str, environ: Mapping[str, str], problems: Problems) -> tuple[str, ...]:
    """Return the tokens of a comma list; none if the variable is blank."""
    text = environ.get(name, "").strip()
    if not text:
        return ()
    return _secrets([entry.strip() for entry in text.split(",")], in_environment(name), problems)


def tokens_of_table(layer: Layer, environ: Mapping[str, str], problems: Problems) -> tuple[str, ...]:
    """Return the tokens that an `[[accounts]]` table has or points to; none if it says nothing of tokens."""
    written = [key for key in TOKEN_KEYS if key in layer]
    if len(written) > 1:
        problems.add(layer[written[1]].place, f"stands beside {written[0]}; write one of the two")
    if not written:
        return ()
    value, place = layer[written[0]].value, layer[written[0]].place
    if written[0] == "auth_token_env":
        variable = _variable(layer[written[0]], environ, problems)
        return tokens_of_variable(variable, environ, problems) if variable else ()
    tokens = [value] if written[0] == "auth_token" else value
    if not isinstance(tokens, list) or not tokens:
        problems.add(place, "should be a list of one or more tokens", [EXAMPLE_TOKEN])
        return ()
    return _secrets(tokens, place, problems)


def shared_keys_of_table(layer: Layer, environ: Mapping[str, str], problems: Problems) -> tuple[SharedKey, ...]:
    """Return the shared keys of an `[[accounts]]` table; those that are wrong are noted and left out."""
    written = layer.get("shared_keys")
    if written is None:
        return ()
    if not isinstance(written.value, list) or not all(isinstance(entry, dict) for entry in written.value):
        advice = 'write shared_keys = [{id = "KEY_ID", secret_env = "NAME_OF_A_VARIABLE"}]'
        problems.add(written.place, f"should be a list of tables; {advice}")
        return ()
    places = [written.place.item(n) for n in range(len(written.value))]
    read = [_shared_key(table(e, p), p, environ, problems) for e, p in zip(written.value, places, strict=True)]
    keys = [key for key in read if key is not None]
    ids = [key.id for key in keys]
    for key_id in sorted({key_id for key_id in ids if ids.count(key_id) > 1}):
        problems.add(written.place, f"has more than one key with the id {shown(key_id)}; remove all but one")
    return tuple(keys)


def secret_of(layer: Layer, name: str, environ: Mapping[str, str], problems: Problems) -> str | None:
    """Return what stands under `name`, or in the variable that `<name>_env` names; empty where neither is there.

    None: it is wrong, which is noted.
    """
    written, variable = layer.get(name), layer.get(f"{name}_env")
    if written is not None and variable is not None:
        problems.add(variable.place, f"stands beside {name}; write one of the two")
        return None
    if written is not None:
        return next(iter(_secrets([written.value], written.place, problems)), None)
    if variable is None:
        return ""
    found = _variable(variable, environ, problems)
    return next(iter(_secrets([environ[found].strip()], in_environment(found), problems)), None) if found else None


def _shared_key(layer: Layer, place: Place, environ: Mapping[str, str], problems: Problems) -> SharedKey | None:
    for key in sorted(layer.keys() - set(_SHARED_KEY_KEYS)):
        problems.add(layer[key].place, unknown(key, _SHARED_KEY_KEYS))
    key_id = layer.get("id", Written("", place.within("id")))
    if not isinstance(key_id.value, str) or not key_id.value.strip():
        problems.add(key_id.place, "should be the id of the key at Twilio", "KEY_ID")
        return None
    algorithm = layer.get("algorithm", Written(_ALGORITHMS[-1], place))
    if algorithm.value not in _ALGORITHMS:
        should = " or ".join(_ALGORITHMS)
        problems.add(algorithm.place, f"should be {should}, not {shown(algorithm.value)}", _ALGORITHMS[-1])
        return None
    if ("secret" in layer) == ("secret_env" in layer):
        problems.add(
            place, 'should have secret or secret_env; write for example secret_env = "NAME_OF_A_VARIABLE"'
        )
        return None
    found = secret_of(layer, "secret", environ, problems)
    return SharedKey(key_id.value.strip(), found, SignatureAlgorithm(algorithm.value)) if found else None


def _variable(written: Written, environ: Mapping[str, str], problems: Problems) -> str | None:
    """Return the name of a variable that is set. A name that is not is perhaps a secret, and not repeated."""
    name = written.value
    if not isinstance(name, str) or not name.isidentifier():
        problems.add(written.place, "should be the name of an environment variable", "TWILIO_AUTH_TOKEN_2")
    elif not environ.get(name, "").strip():
        problems.add(written.place, f"names the environment variable {_unless_secret(name)}, which is not set")
    else:
        return name
    return None


def _unless_secret(name: str) -> str:
    return name if name.isupper() else "(not shown: it may be a secret)"


def _secrets(values: list[Any], place: Place, problems: Problems) -> tuple[str, ...]:
    good = []
    for value in values:
        if not isinstance(value, str):
            problems.add(place, "should be a string in quotes", EXAMPLE_TOKEN)
        elif not value.strip():
            problems.add(place, "is empty, or has an empty token between its commas", EXAMPLE_TOKEN)
        else:
            try:
                good.append(secret(value.strip()))
            except ValueError as error:
                problems.add(place, f"{error} (the value is not shown)", EXAMPLE_TOKEN)
    return tuple(dict.fromkeys(good))
