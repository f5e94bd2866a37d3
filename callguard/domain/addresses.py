"""Addresses: whatever Twilio may put into a call's From and To, and an operator into a list of numbers.

And how little of a number may be shown.

One grammar for both ends, so that whatever comes in can be named. Sources:
https://www.twilio.com/docs/voice/api/call-resource#create-a-call-resource (telephones, `client:` and `sip:`),
https://www.twilio.com/docs/voice/api/sip-making-calls (From of a call to `sip:` is a bare user name),
https://www.twilio.com/docs/voice/twiml#request-parameters (callers without a number).
"""

import re
from collections.abc import Iterable

MAX_CHARACTERS = 2048
"""A `sip:` URI may carry a kilobyte of headers."""

WORDS = "anonymous|blocked|private|restricted|unavailable|unknown"
SCHEMES = "client|sips?|sim|app|user|tel|whatsapp|conference"
SHOWN = r"[^\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff]"
"""A character that is no control character, and can be written as UTF-8."""

E164 = r"\+[0-9]{2,15}"
DIGITS = r"[0-9]{3,15}(?![0-9])"
"""Short codes, emergency numbers, numeric SIP users."""

SIP_USER = r"[0-9A-Za-z_][0-9A-Za-z_.+-]{0,63}"
"""A bare user name, such as `jack` or `sales.desk_2`."""

ADDRESS = re.compile(rf"{E164}|{DIGITS}|(?i:{WORDS})|(?i:{SCHEMES}):{SHOWN}{{1,{MAX_CHARACTERS - 16}}}|{SIP_USER}")
PREFIX = re.compile(
    rf"\+?[0-9]{{1,15}}|(?i:{SCHEMES}):{SHOWN}{{0,{MAX_CHARACTERS - 16}}}|{SIP_USER}"
)  # what stands before the `*` of an entry

_SHOWN_TEXT = re.compile(rf"{SHOWN}*")
_DIGITS_ONLY = re.compile(r"[0-9]{7,15}")
_WRITTEN_OUT = re.compile(r"[0-9][0-9.+-]{6,}")
_OUTWARD = re.compile(r"(?:whatsapp:)?\+?[0-9]{3,15}")

# Each exactly: a longer number that begins so is somebody's.
# - 3GPP TS 22.101, section 10.1.1: numbers that any telephone takes for emergency calls.
# - 933: the test of 911, https://www.twilio.com/docs/voice/tutorials/emergency-calling-for-programmable-voice
# - the others: ITU, "National emergency numbers", for numbers that several countries have.
EMERGENCY = frozenset(
    {"112", "911", "000", "110", "118", "119", "999"}
    | {"933"}
    | {"100", "101", "102", "103", "106", "108", "111", "113", "114", "115", "117", "120", "122", "995"}
)
"""Emergency numbers, by which calls are never cancelled, whatever the policy says."""

_BY_COUNTRY = {
    "1": ("911", "933", "112"),
    "33": ("112", "114"),
    "34": ("112",),
    "39": ("112", "113", "115", "118"),
    "44": ("999", "112"),
    "49": ("110", "112"),
    "61": ("000", "106", "112"),
    "64": ("111",),
    "65": ("995", "999"),
    "81": ("110", "118", "119"),
    "82": ("112", "119"),
    "86": ("110", "119", "120", "122"),
    "91": ("100", "101", "102", "108", "112"),
    "353": ("112", "999"),
    "852": ("999", "112"),
}
_EMERGENCY_DIGITS = EMERGENCY | {f"{code}{number}" for code, numbers in _BY_COUNTRY.items() for number in numbers}
_MAX_EMERGENCY = 1 + max(map(len, _EMERGENCY_DIGITS))


def is_emergency(to_address: str) -> bool:
    """Return whether it is an emergency number: alone, with `+`, or with the code of a country that has it.

    >>> is_emergency("911"), is_emergency("+44999"), is_emergency("9111"), is_emergency("sip:911@example.com")
    (True, True, False, False)
    """
    return len(to_address) <= _MAX_EMERGENCY and to_address.removeprefix("+") in _EMERGENCY_DIGITS


def is_telephone(address: str) -> bool:
    """Return whether somebody's telephone rings there; not `sip:` and `client:`, which are one's own endpoints."""
    return _OUTWARD.fullmatch(address) is not None


def canonical(address: str) -> str:
    """Return what two addresses have in common that name the same telephone: a number with its `+`.

    >>> canonical("15550001111"), canonical("911"), canonical("jack")
    ('+15550001111', '911', 'jack')
    """
    return f"+{address}" if _DIGITS_ONLY.fullmatch(address) else address


def checked_entry(text: str) -> str:
    """Return an entry of an operator's list: an address, or the beginning of some with `*` behind it.

    Raises:
        ValueError: no call could match it, or it is a number as people write it; the message says what to write.
    """
    if not _SHOWN_TEXT.fullmatch(text):
        raise ValueError("holds a control character; write the address alone")
    start, star, rest = text.partition("*")
    if rest:
        raise ValueError("should be an address, with * only at its end")
    if not (PREFIX if star else ADDRESS).fullmatch(start) or start != start.strip():
        raise ValueError(
            "should be a number with + and digits only, a short number, client:..., sip:... or a SIP user's name, "
            "with * only at its end"
        )
    if _WRITTEN_OUT.fullmatch(start) and not start.isdigit():
        raise ValueError("should be a number with + and digits only, such as +15551230000")
    return text


_SHOWN_TAIL = 2
_LONG = 11


class NumberList:
    """Addresses given exactly or as a prefix that ends in `*`, as in `never_cancel`.

    A number means the same with its `+` and without it.

    >>> "+15551230000" in NumberList(["+1555*"]), "+15551230000" in NumberList(["15551230000"])
    (True, True)
    """

    def __init__(self, patterns: Iterable[str]) -> None:
        """Sort the patterns into exact numbers and prefixes."""
        listed = list(patterns)
        self._exact = frozenset(canonical(p) for p in listed if not p.endswith("*"))
        prefixes = [p[:-1] for p in listed if p.endswith("*")]
        self._prefixes = tuple(prefixes + [f"+{digits}" for digits in prefixes if digits.isdigit()])

    def __contains__(self, number: str) -> bool:
        if not (self._exact or self._prefixes):
            return False
        known = canonical(number)
        return known in self._exact or known.startswith(self._prefixes)


def masked(number: str) -> str:
    """Return `+1555***01`: enough to recognise one's own number, too little to call it."""
    if len(number) < 8:
        return "***"
    head = 5 if len(number) >= _LONG else 2
    return f"{number[:head]}***{number[-_SHOWN_TAIL:]}"
