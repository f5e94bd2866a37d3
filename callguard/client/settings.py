"""Where the guard is and how long it may take: from arguments, else from the environment."""

import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

URL_SETTING = "CALLGUARD_URL"
KEY_SETTING = "CALLGUARD_CLIENT_KEY"


@dataclass(frozen=True)
class GuardSettings:
    """One guard and the key to it; `gate_timeout` and `answer_seconds` are in seconds."""

    url: str
    api_key: str = field(repr=False)
    gate_timeout: float
    answer_seconds: float


def read_settings(
    guard_url: str | None,
    api_key: str | None,
    gate_timeout: float,
    answer_seconds: float,
    environ: Mapping[str, str] = os.environ,
) -> GuardSettings:
    """Return the settings, each argument before its environment variable.

    Raises:
        ValueError: an argument is missing or cannot be right; the text names it and never holds the key.
    """
    return GuardSettings(
        _checked_url(guard_url or environ.get(URL_SETTING, "")),
        _checked_key(api_key or environ.get(KEY_SETTING, "")),
        checked_seconds("gate_timeout", gate_timeout),
        checked_seconds("answer_seconds", answer_seconds),
    )


def checked_seconds(name: str, seconds: float) -> float:
    """Return `seconds` if a wait can be that long, else raise a ValueError that names it."""
    if not (math.isfinite(seconds) and seconds > 0):
        raise ValueError(f"{name}: {seconds!r} is not a wait; give a number of seconds above 0")
    return seconds


def _checked_url(url: str) -> str:
    fix = f"give the guard's address, such as https://guard.example.com, or set {URL_SETTING}"
    if not url:
        raise ValueError(f"guard_url: missing; {fix}")
    if not _is_plain(url):
        raise ValueError(f"guard_url: not a plain http(s) address; {fix}")
    return url.rstrip("/")


def _is_plain(url: str) -> bool:
    try:
        parts = urlsplit(url)
        is_place = bool(parts.hostname) and parts.port != 0  # reading a bad port raises
    except ValueError:
        return False
    return is_place and parts.scheme in ("http", "https") and not (parts.query or parts.fragment)


def _checked_key(api_key: str) -> str:
    fix = f"give a key that the guard knows, or set {KEY_SETTING}"
    if not api_key:
        raise ValueError(f"api_key: missing; {fix}")
    if not api_key.isascii() or not api_key.isprintable() or " " in api_key:
        raise ValueError(f"api_key: holds a space, a line end or a letter that no header can carry; {fix}")
    return api_key
