"""How Twilio's REST API is reached: by which address, and with which API key.

A key serves REST in place of an auth token (https://www.twilio.com/docs/iam/api-keys); signatures are made with
the token alone. Regions and edges are named as Twilio's library has them:
https://www.twilio.com/docs/global-infrastructure/using-the-twilio-rest-api-in-a-non-us-region
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

from callguard.config import urls
from callguard.config.credentials import secret_of
from callguard.config.errors import Problems
from callguard.config.layers import Layer, Place, in_environment

REGION, EDGE = "TWILIO_REGION", "TWILIO_EDGE"
KEY_VARIABLE, SECRET_VARIABLE = "TWILIO_API_KEY", "TWILIO_API_SECRET"

REST_KEYS = ("api_key", "api_key_env", "api_secret", "api_secret_env", "twilio_api_url")
"""What an `[[accounts]]` table may have of it."""

EXAMPLE_KEY = "SK0123456789abcdef0123456789abcdef"

_KEY = re.compile(r"SK[0-9a-fA-F]{32}")
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


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


def regional_api_url(environ: Mapping[str, str], problems: Problems) -> str:
    """Return the default address of Twilio's REST API: by TWILIO_EDGE in TWILIO_REGION, if they are set.

    >>> regional_api_url({"TWILIO_EDGE": "sydney", "TWILIO_REGION": "au1"}, Problems())
    'https://api.sydney.au1.twilio.com'
    """
    edge, region = (_named(name, environ, problems) for name in (EDGE, REGION))
    return "https://" + ".".join(filter(None, ["api", edge, region or (edge and "us1"), "twilio.com"]))


def set_in(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return which of the two variables are set."""
    return tuple(name for name in (REGION, EDGE) if environ.get(name, "").strip())


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


def _named(name: str, environ: Mapping[str, str], problems: Problems) -> str:
    text = environ.get(name, "").strip()
    if text and not _NAME.fullmatch(text):
        problems.add(in_environment(name), "should be one of Twilio's names, in small letters, or unset", "ie1")
        return ""
    return text
