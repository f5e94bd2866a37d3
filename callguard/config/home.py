"""Folders of the person or service that runs CallGuard, as the given environment says."""

from collections.abc import Mapping
from pathlib import Path


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


def _home(environ: Mapping[str, str]) -> Path:
    home = environ.get("HOME", "")
    return Path(home) if home else Path.home()
