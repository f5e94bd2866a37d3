"""The environment: which variables are CallGuard's, and which look as if they were meant to be."""

import re
from collections.abc import Iterable, Mapping

from callguard.config.errors import Problems
from callguard.config.policies import ENV_PREFIX, POLICY_KEYS, env_name
from callguard.config.wording import unknown
from callguard.config.written import in_environment

PREFIX = "CALLGUARD_"

CONFIG_FILE = "CALLGUARD_CONFIG"

ELSEWHERE = (
    "CALLGUARD_BIND",
    "CALLGUARD_CANCEL_WORKERS",
    "CALLGUARD_REQUIRE_ALL",
    "CALLGUARD_WEB_WORKERS",
)
"""Read by programs and tests, not from `Settings`; they cannot stand in the TOML file."""

# Kubernetes sets these in every pod beside a Service named callguard or callguard-...
_OF_KUBERNETES = re.compile(r"_SERVICE_HOST|_SERVICE_PORT(_\w+)?|_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?")
_ADDRESS_OF_KUBERNETES = re.compile(r"(tcp|udp|sctp)://")


def refuse_unknown_variables(
    environ: Mapping[str, str], known: Iterable[str], named: Iterable[str], problems: Problems
) -> None:
    """Note every variable that begins with `CALLGUARD_` and is no setting: a typo must not turn a rule off.

    `known` are the settings, `named` are further variables that the file refers to.
    """
    policy = list(map(env_name, POLICY_KEYS))
    settings = [*known, CONFIG_FILE, *ELSEWHERE, *policy]
    expected = {*settings, *named}
    for name in sorted(environ):
        if not name.upper().startswith(PREFIX) or name in expected or _is_of_kubernetes(name, environ[name]):
            continue
        if name.upper().startswith(ENV_PREFIX):
            problems.add(in_environment(name), unknown(name, policy, ENV_PREFIX))
        else:
            problems.add(in_environment(name), unknown(name, settings, PREFIX))


def _is_of_kubernetes(name: str, value: str) -> bool:
    rest = name.removeprefix(PREFIX[:-1])
    if rest.endswith("_PORT") and _ADDRESS_OF_KUBERNETES.match(value):
        return True
    return any(match.end() == len(rest) for match in _OF_KUBERNETES.finditer(rest))
