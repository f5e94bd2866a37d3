"""Secrets that stand in files, as containers mount them: `<NAME>_FILE` names the file that holds `<NAME>`."""

from collections.abc import Mapping
from pathlib import Path

from callguard.config.errors import Problems
from callguard.config.written import in_environment

SECRETS = (
    *("TWILIO_AUTH_TOKEN", "TWILIO_API_KEY", "TWILIO_API_SECRET"),
    *("CALLGUARD_REDIS_URL", "CALLGUARD_QUEUE_REDIS_URL", "CALLGUARD_API_KEY", "CALLGUARD_METRICS_TOKEN"),
    "CALLGUARD_NOTIFY_URLS",
)

_MAX_BYTES = 64 * 1024


def with_secret_files(environ: Mapping[str, str], problems: Problems) -> Mapping[str, str]:
    """Return the environment with what the files hold in place of the variables that name them."""
    variables = {f"{name}_FILE": name for name in SECRETS}
    held = {key: value for key, value in environ.items() if key not in variables}
    for variable, name in variables.items():
        if not (path := environ.get(variable, "").strip()):
            continue
        if environ.get(name, "").strip():
            problems.add(in_environment(variable), f"stands beside {name}; set one of the two")
        else:
            held[name] = _read(variable, path, problems)
    return held


def _read(variable: str, path: str, problems: Problems) -> str:
    place = in_environment(variable)
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
