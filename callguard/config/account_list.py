"""All accounts: the one of the environment, and the `[[accounts]]` tables of the file."""

import re
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

from callguard.config.accounts import Account, SharedKey
from callguard.config.credentials import (
    EXAMPLE_TOKEN,
    TOKEN_KEYS,
    shared_keys_of_table,
    tokens_of_table,
    tokens_of_variable,
)
from callguard.config.errors import Problems, shown
from callguard.config.layers import Layer, Place, Written, in_environment
from callguard.config.policies import read_policy, refuse_unknown
from callguard.config.rest_access import (
    KEY_VARIABLE,
    REST_KEYS,
    SECRET_VARIABLE,
    RestKey,
    api_url_of_table,
    key_of_environment,
    key_of_table,
)
from callguard.config.toml_file import TomlFile

SID_VARIABLE = "TWILIO_ACCOUNT_SID"
TOKEN_VARIABLE = "TWILIO_AUTH_TOKEN"  # noqa: S105  (a name)

EXAMPLE_SID = "AC0123456789abcdef0123456789abcdef"

_ACCOUNT_KEYS = ("sid", *TOKEN_KEYS, "shared_keys", *REST_KEYS)
_SID = re.compile(r"AC[0-9a-f]{32}")

_NONE_CONFIGURED = (
    "no account is configured, so there is nothing to guard; write "
    f"{SID_VARIABLE}={EXAMPLE_SID} and {TOKEN_VARIABLE}={EXAMPLE_TOKEN} (both are in Twilio's Console), "
    "or [[accounts]] tables in the TOML file that CALLGUARD_CONFIG names"
)


@dataclass(frozen=True, slots=True)
class _Found:
    """What one source says of an account. `token_place`: the place that an error about no token names."""

    sid: str
    place: Place
    token_place: Place
    tokens: tuple[str, ...]
    shared_keys: tuple[SharedKey, ...]
    policy: Layer
    rest_key: RestKey = field(default_factory=RestKey)
    api_url: str = ""


def read_accounts(
    environ: Mapping[str, str], file: TomlFile, policy: Layer, problems: Problems
) -> Mapping[str, Account]:
    """Return the accounts by SID, the environment's first; `policy` has the defaults of all.

    Accounts with a problem may be missing from the result.
    """
    found: dict[str, _Found] = {}
    for one in (*_in_environment(environ, file.named_variables(), problems), *_in_tables(environ, file, problems)):
        before = found.get(one.sid)
        if before is not None and before.place.in_file:
            problems.add(one.place, f"{one.sid} has a table already, at {before.place.name}; make one of the two")
        found[one.sid] = _merged(before, one) if before else one
    for one in found.values():
        if not one.tokens and file.is_readable:
            why = "; an API key serves REST only, and the token checks the signatures of callbacks"
            wrong = f"the account {one.sid} has no auth token{why if one.rest_key.key else ''}"
            problems.add(one.token_place, wrong, EXAMPLE_TOKEN)
    if not found and file.is_readable and not file.accounts and not _is_set(environ):
        problems.add(in_environment(TOKEN_VARIABLE), _NONE_CONFIGURED)
    return MappingProxyType({sid: _account(one, policy, problems) for sid, one in found.items()})


def _in_environment(environ: Mapping[str, str], named: Collection[str], problems: Problems) -> Iterator[_Found]:
    place, token_place = in_environment(SID_VARIABLE), in_environment(TOKEN_VARIABLE)
    sid = environ.get(SID_VARIABLE, "").strip()
    tokens = tokens_of_variable(TOKEN_VARIABLE, environ, problems)
    has_token = bool(environ.get(TOKEN_VARIABLE, "").strip())
    rest_key = key_of_environment(environ, problems)
    if not sid and rest_key.key and KEY_VARIABLE not in named:
        problems.add(place, f"is not set, but {KEY_VARIABLE} is", EXAMPLE_SID)
    if not sid and has_token:
        problems.add(place, f"is not set, but {TOKEN_VARIABLE} is", EXAMPLE_SID)
    # An account whose tokens are wrong gets no second problem for having none.
    elif sid and _is_sid(sid, place, problems) and (tokens or not has_token):
        yield _Found(sid, place, token_place, tokens, (), {}, rest_key)


def _in_tables(environ: Mapping[str, str], file: TomlFile, problems: Problems) -> Iterator[_Found]:
    for place, layer in file.accounts:
        refuse_unknown(layer, _ACCOUNT_KEYS, problems)
        tokens = tokens_of_table(layer, environ, problems)
        shared_keys = shared_keys_of_table(layer, environ, problems)
        own = {key: written for key, written in layer.items() if key not in _ACCOUNT_KEYS}
        read_policy(own, problems)
        sid = layer.get("sid", Written("", place.within("sid")))
        has_token = any(key in layer for key in TOKEN_KEYS)
        if _is_sid(sid.value, sid.place, problems) and (tokens or not has_token):
            rest = key_of_table(layer, place, environ, problems), api_url_of_table(layer, problems)
            yield _Found(sid.value, sid.place, place.within("auth_token"), tokens, shared_keys, own, *rest)


def _merged(one: _Found, other: _Found) -> _Found:
    tokens = tuple(dict.fromkeys(one.tokens + other.tokens))
    rest_key = one.rest_key if one.rest_key.key else other.rest_key
    return _Found(
        one.sid, other.place, one.token_place, tokens, other.shared_keys, other.policy, rest_key, other.api_url
    )


def _account(found: _Found, defaults: Layer, problems: Problems) -> Account:
    policy = read_policy({**defaults, **found.policy}, problems)
    key = found.rest_key
    return Account(found.sid, found.tokens, found.shared_keys, policy, key.key, key.secret, found.api_url)


def _is_sid(value: Any, place: Place, problems: Problems) -> bool:
    if isinstance(value, str) and _SID.fullmatch(value):
        return True
    should = "should be AC and 32 lower-case hex digits"
    if not value:
        problems.add(place, f"is empty or missing; it {should}", EXAMPLE_SID)
    elif isinstance(value, str) and value.startswith("AC"):
        lowered = "AC" + value[2:].lower()
        problems.add(place, f"{should}, not {shown(value)}", lowered if _SID.fullmatch(lowered) else EXAMPLE_SID)
    elif isinstance(value, str) and value.startswith("SK"):
        problems.add(
            place,
            f"{should}; SK… is an API key, not an account: write it as {KEY_VARIABLE} and its secret as "
            f"{SECRET_VARIABLE} (in a table: api_key and api_secret), and here the account that it belongs to",
            EXAMPLE_SID,
        )
    else:
        # It may be an auth token in the wrong place, so it is not shown.
        problems.add(place, f"{should}, and what is written there does not begin with AC", EXAMPLE_SID)
    return False


def _is_set(environ: Mapping[str, str]) -> bool:
    return any(environ.get(name, "").strip() for name in (SID_VARIABLE, TOKEN_VARIABLE))
