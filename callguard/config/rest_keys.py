"""Twilio's API keys, which serve REST in place of an auth token. Signatures are made with the token alone.

https://www.twilio.com/docs/iam/api-keys
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from callguard.config import urls
from callguard.config.credentials import secret_of
from callguard.config.errors import Problems
from callguard.config.written import Layer, Place, in_environment

KEY_VARIABLE, SECRET_VARIABLE = "TWILIO_API_KEY", "TWILIO_API_SECRET"

REST_KEYS = ("api_key", "api_key_env", "api_secret", "api_secret_env", "twilio_api_url")
"""What an `[[accounts]]` table may have of it."""

EXAMPLE_KEY = "SK0123456789abcdef0123456789abcdef"

_KEY = re.compile(r"SK[0-9a-fA-F]{32}")


@dataclass(frozen=True, slots=True)
class RestKey:
    """A key with its secret; both empty for none."""

    key: str = ""
    secret: str = ""


def key_of_environment(environ: Mapping[str, str], problems: Problems) -> RestKey:
    """Return TWILIO_API_KEY with TWILIO_API_SECRET; a half of it is noted as a problem."""
    key, secret = (environ.get(name, "").strip() for name in (KEY_VARIABLE, SECRET_VARIABLE))
    places = in_environment(KEY_VARIABLE), in_environment(SECRET_VARIABLE)
    return _checked(key, secret, *places, (KEY_VARIABLE, SECRET_VARIABLE), problems)


def key_of_table(layer: Layer, place: Place, environ: Mapping[str, str], problems: Problems) -> RestKey:
    """Return the key that an `[[accounts]]` table has or points to."""
    if not any(name in layer for name in REST_KEYS[:4]):
        return RestKey()
    key, secret = (secret_of(layer, name, environ, problems) for name in ("api_key", "api_secret"))
    names = ("api_key", "api_secret")
    if key is None or secret is None:  # noted already
        return RestKey()
    return _checked(key, secret, place.within("api_key"), place.within("api_secret"), names, problems)


def api_url_of_table(layer: Layer, problems: Problems) -> str:
    """Return the table's `twilio_api_url`; empty for none."""
    written = layer.get("twilio_api_url")
    if written is None:
        return ""
    try:
        if not isinstance(written.value, str):
            raise ValueError("should be a URL in quotes")
        return urls.api_url(written.value)
    except ValueError as error:
        problems.add(written.place, str(error), "https://api.dublin.ie1.twilio.com")
        return ""


def _checked(
    key: str, secret: str, key_place: Place, secret_place: Place, names: tuple[str, str], problems: Problems
) -> RestKey:
    if bool(key) != bool(secret):
        place = secret_place if key else key_place
        there, missing = names if key else reversed(names)
        problems.add(place, f"{missing} is not set, but {there} is; an API key needs both, or set neither")
        return RestKey()
    if key and not _KEY.fullmatch(key):
        # It may be the secret in the wrong place, so it is not shown.
        problems.add(key_place, "should be SK and 32 hex digits, the SID of an API key", EXAMPLE_KEY)
        return RestKey()
    return RestKey(key, secret)
