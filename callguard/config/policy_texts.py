"""Checking the texts among the policy keys: lists of numbers, and what begins with `live_calls_`."""

import re
from collections.abc import Callable, Mapping

from callguard.config.urls import webhook_url
from callguard.domain.addresses import checked_entry

NUMBER_LISTS = {
    "never_cancel": 'would spare every call; to cancel nothing, set mode to "observe"',
    "repeat_exempt": "would exempt every number; to be told of none, set repeat_limit to 1000",
}
"""The policy keys that hold numbers, and why `*` alone is refused there."""

EXAMPLE_NUMBERS = ("+15551230000", "+1555*")

MAX_SPOKEN = 1000
"""Twilio says up to 4,096 characters (https://www.twilio.com/docs/voice/twiml/say); nobody listens so long."""

_QUEUE = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9 ._-]{0,62}[A-Za-z0-9._-])?")


def number(text: str, key: str = "never_cancel") -> str:
    """Return an entry that calls can match (`callguard.domain.addresses` has the grammar).

    Raises:
        ValueError: no call would match it, or every call would.
    """
    if text == "*":
        raise ValueError(NUMBER_LISTS[key])
    return checked_entry(text)


def queue_name(text: str) -> str:
    """Return the name of a hold queue, at most 64 characters; an empty one means none.

    Raises:
        ValueError: it would not be the same name in TwiML, in a URL and in a label.
    """
    if text and not _QUEUE.fullmatch(text):
        raise ValueError(
            "should be at most 64 letters, digits, spaces, dots, dashes and underscores, a letter or digit first"
        )
    return text


def message(text: str) -> str:
    """Return what is said to people.

    Raises:
        ValueError: it cannot be said.
    """
    if not text.strip():
        raise ValueError("should say something")
    if len(text) > MAX_SPOKEN or not text.isprintable():
        raise ValueError(f"should be at most {MAX_SPOKEN} characters, without line breaks")
    return text


def _url(text: str) -> str:
    return webhook_url(text) if text else text


TEXTS: Mapping[str, Callable[[str], str]] = {
    "live_calls_url": _url,
    "live_calls_message": message,
    "live_calls_queue": queue_name,
}
"""The check of each key."""

EXAMPLES = {
    "live_calls_url": "https://twiml.example.com/sorry",
    "live_calls_message": "We are sorry. This call was placed by mistake.",
    "live_calls_queue": "callers",
}
