"""Twilio's regions and edges, as its library has them.

https://www.twilio.com/docs/global-infrastructure/using-the-twilio-rest-api-in-a-non-us-region
"""

import re
from collections.abc import Mapping

from callguard.config.errors import Problems
from callguard.config.written import in_environment

REGION, EDGE = "TWILIO_REGION", "TWILIO_EDGE"

_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


def regional_api_url(environ: Mapping[str, str], problems: Problems) -> str:
    """Return where Twilio's REST API is, where nobody says it: by TWILIO_EDGE in TWILIO_REGION, if they are set.

    >>> regional_api_url({"TWILIO_EDGE": "sydney", "TWILIO_REGION": "au1"}, Problems())
    'https://api.sydney.au1.twilio.com'
    """
    edge, region = (_named(name, environ, problems) for name in (EDGE, REGION))
    return "https://" + ".".join(filter(None, ["api", edge, region or (edge and "us1"), "twilio.com"]))


def set_in(environ: Mapping[str, str]) -> tuple[str, ...]:
    """Return which of the two variables are set."""
    return tuple(name for name in (REGION, EDGE) if environ.get(name, "").strip())


def _named(name: str, environ: Mapping[str, str], problems: Problems) -> str:
    text = environ.get(name, "").strip()
    if text and not _NAME.fullmatch(text):
        problems.add(in_environment(name), "should be one of Twilio's names, in small letters, or unset", "ie1")
        return ""
    return text
