"""The environment: its settings, and variables that look like misspelt settings.

A secret may stand in a file, as containers mount them: `<NAME>_FILE` names the file that holds `<NAME>`.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from callguard.config.errors import Problems, unknown
from callguard.config.layers import Written, in_environment
from callguard.config.policies import ENV_PREFIX, POLICY_KEYS, env_name

PREFIX = "CALLGUARD_"

CONFIG_FILE = "CALLGUARD_CONFIG"

ELSEWHERE = (
    "CALLGUARD_BIND",
    "CALLGUARD_CANCEL_WORKERS",
    "CALLGUARD_REQUIRE_ALL",
    "CALLGUARD_WEB_WORKERS",
)
"""Read by programs and tests, not from `Settings`; they cannot stand in the TOML file."""

SECRETS = (
    *("TWILIO_AUTH_TOKEN", "TWILIO_API_KEY", "TWILIO_API_SECRET"),
    *("CALLGUARD_REDIS_URL", "CALLGUARD_QUEUE_REDIS_URL", "CALLGUARD_API_KEY", "CALLGUARD_METRICS_TOKEN"),
    "CALLGUARD_NOTIFY_URLS",
)

_MAX_BYTES = 64 * 1024

# Kubernetes sets these in every pod beside a Service named callguard or callguard-...
_OF_KUBERNETES = re.compile(r"_SERVICE_HOST|_SERVICE_PORT(_\w+)?|_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?")
_ADDRESS_OF_KUBERNETES = re.compile(r"(tcp|udp|sctp)://")


def variable(key: str) -> str:
    """Return the environment variable of a setting."""
    return PREFIX + key.upper()


def layer_of_environment(environ: Mapping[str, str], known: tuple[str, ...]) -> dict[str, Written]:
    """Return the settings that the environment has; a blank one counts as not set."""
    values = {key: environ.get(variable(key), "").strip() for key in known}
    return {key: Written(value, in_environment(variable(key))) for key, value in values.items() if value}


def with_secret_files(environ: Mapping[str, str], problems: Problems) -> Mapping[str, str]:
    """Return the environment with what the files hold in place of the variables that name them."""
    variables = {f"{name}_FILE": name for name in SECRETS}
    held = {key: value for key, value in environ.items() if key not in variables}
    for name_of_file, name in variables.items():
        if not (path := environ.get(name_of_file, "").strip()):
            continue
        if environ.get(name, "").strip():
            problems.add(in_environment(name_of_file), f"stands beside {name}; set one of the two")
        else:
            held[name] = _secret_in(name_of_file, path, problems)
    return held


def expanded(path: str, environ: Mapping[str, str]) -> Path:
    """Return an absolute path; a `~` in front is the home folder."""
    if path == "~" or path.startswith("~/"):
        return _home(environ) / path[2:]
    return Path(path).absolute()


def default_data_dir(environ: Mapping[str, str]) -> Path:
    """Return `callguard` in `$XDG_STATE_HOME`, which is `~/.local/state` where it is not set.

    Source: https://specifications.freedesktop.org/basedir-spec/latest/ (a relative path is to be ignored).
    """
    given = Path(environ.get("XDG_STATE_HOME", ""))
    return (given if given.is_absolute() else _home(environ) / ".local" / "state") / "callguard"


def refuse_unknown_variables(
    environ: Mapping[str, str], known: Iterable[str], named: Iterable[str], problems: Problems
) -> None:
    """Note every `CALLGUARD_` variable that is no setting as a problem: a typo must not turn a rule off.

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


def _secret_in(name_of_file: str, path: str, problems: Problems) -> str:
    place = in_environment(name_of_file)
    try:
        with Path(path).open("rb") as file:
            text = file.read(_MAX_BYTES).decode().strip()
    except OSError as error:
        problems.add(place, f"names a file that cannot be read ({error.strerror}); name one that holds the secret")
        return ""
    except UnicodeDecodeError:
        problems.add(place, "names a file that is no text; name one that holds the secret and nothing else")
        return ""
    if not text:
        problems.add(place, "names an empty file; name one that holds the secret")
    return text


def _home(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME", "")
    return Path(home) if home else Path.home()
