"""Schemas of texts for the OpenAPI document: no wider than what is accepted. JavaScript can read the patterns."""

import re
from typing import Any

from callguard.domain.addresses import DIGITS, E164, MAX_CHARACTERS, SCHEMES, SHOWN, SIP_USER, WORDS
from callguard.domain.drain_time import MAX_QUEUE_MS

Schema = dict[str, Any]

_END = r"$(?!\n)"
"""Python's `$` alone also matches before a final line break."""


def text(pattern: str, *examples: str, **more: Any) -> Schema:
    """Return the schema of a text that is `pattern` as a whole."""
    schema = {"type": "string", "pattern": f"^(?:{pattern}){_END}", **more}
    return schema | ({"examples": list(examples)} if examples else {})


def or_null(schema: Schema) -> Schema:
    """Return a schema of text that takes null too."""
    return {**schema, "type": [schema["type"], "null"]}


def _in_any_case(words: str) -> str:
    return re.sub("[a-z]", lambda letter: f"[{letter[0].upper()}{letter[0]}]", words)


ACCOUNT_SID = text("AC[0-9a-f]{32}", f"AC{'0' * 32}")
CALL_SID = text("CA[0-9a-f]{32}", f"CA{'0' * 32}")
CAMPAIGN_ID = text("[0-9a-f]{8}", "3f9c01ab")

_HOUR_MINUTE = "(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_ISO = (
    "20[0-9]{2}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    rf"T{_HOUR_MINUTE}:[0-5][0-9](?:\.[0-9]{{1,9}})?(?:Z|[+-]{_HOUR_MINUTE})"
)
_RFC_2822 = (
    "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun), (?:0?[1-9]|[12][0-9]|3[01])"
    " (?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
    f" 20[0-9]{{2}} {_HOUR_MINUTE}:[0-5][0-9] (?:[+-](?:[01][0-9]|2[0-3])[0-5][0-9]|GMT|UTC)"
)

MOMENT = text(_ISO, format="date-time")
"""ISO 8601 with a zone, as RFC 3339 narrows it."""

MOMENT_OF_TWILIO = or_null(text(f"{_ISO}|{_RFC_2822}|"))
"""The same, or RFC 2822, or nothing."""

LINE = or_null(text(f"{SHOWN}*", maxLength=MAX_CHARACTERS))
"""Text of one line, without control characters, or nothing."""

QUEUE_TIME: Schema = {
    "anyOf": [
        {"type": "integer", "minimum": 0, "maximum": MAX_QUEUE_MS},
        or_null(text("[0-9]{0,7}|[0-8][0-9]{7}", "1000")),
    ]
}
"""Whole milliseconds, as a number or as text, or nothing."""

_NO_STAR = SHOWN.replace("]", "*]")

NUMBER = text(
    f"{E164}|{DIGITS}|{_in_any_case(WORDS)}"
    rf"|(?:{_in_any_case(SCHEMES)}):{_NO_STAR}{{0,{MAX_CHARACTERS - 17}}}(?!\s){_NO_STAR}"
    f"|(?![0-9][0-9.+-]{{6,}}{_END}){SIP_USER}",
    "+15551230000",
    maxLength=MAX_CHARACTERS,
)
"""Whoever may call (`callguard.domain.addresses`), in full."""
