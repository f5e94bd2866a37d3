"""Reads a million times of a call log fast: days and zones are looked up once each."""

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone, tzinfo

_ZONE = r"\s*(?P<zone>[A-Za-z]{1,4}|[+-]\d\d:?\d\d)?"
_CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>\d\d)(?::(?P<second>\d\d)(?:[.,](?P<fraction>\d{1,9}))?)?"
    r"(?:\s*(?P<half>[AaPp][Mm])\b)?"
)
_ISO_DATE = r"(?P<date>\d{4}-\d\d-\d\d)"
_SLASHES = "slashes"
_SLASHED = re.compile(r"\s*(\d{1,2})/(\d{1,2})/\d{4}\b")
_FORMS = tuple(
    (re.compile(form), days)
    for form, days in (
        (rf"{_ISO_DATE}(?:[T ]{_CLOCK}{_ZONE})?", "%Y-%m-%d"),
        (rf"(?:[A-Za-z]{{3}}, *)?(?P<date>\d{{1,2}} [A-Za-z]{{3}} \d{{4}}) {_CLOCK}{_ZONE}", "%d %b %Y"),
        (rf"(?P<date>\d{{1,2}}/\d{{1,2}}/\d{{4}})(?:,? +{_CLOCK}{_ZONE})?", _SLASHES),
        (rf"{_CLOCK}{_ZONE} {_ISO_DATE}", "%Y-%m-%d"),  # as older exports of Twilio's have it
    )
)
# RFC 5322, section 4.3: the only names whose meaning is settled.
_NAMED_HOURS = {
    "Z": 0, "UTC": 0, "GMT": 0, "UT": 0, "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6,
    "PST": -8, "PDT": -7,
}  # fmt: skip
_MAX_CACHED = 50_000
_MONTHS = 12


class TimeReader:
    """Reads RFC 2822, ISO 8601, `2026-11-21 14:03:07` and `11/21/2026 14:03:07`.

    `day_first`: slash dates are written `21/11/2026 14:03:07`; None: the order is unknown, and they are not read.
    It must be settled before the first time is read.
    """

    def __init__(self, zone: tzinfo = UTC) -> None:
        """Times that name no zone are in `zone`."""
        self.day_first: bool | None = False
        self._zone = zone
        self._form = 0
        self._second_at = 0
        self._minutes: dict[str, int] = {}
        self._hours: dict[tuple[str, int, str | None], int] = {}

    def milliseconds(self, text: str) -> int:
        """Return the time in milliseconds of Unix time.

        Raises:
            ValueError: it is no time.
        """
        place = self._second_at
        second = text[place : place + 2]
        minute_ms = self._minutes.get(text[:place] + text[place + 2 :])
        if minute_ms is not None and second.isdigit() and second <= "60" and len(second) == 2:
            return minute_ms + int(second) * 1000
        return self._read(text.strip())

    def _read(self, text: str) -> int:
        for number in (self._form, *range(len(_FORMS))):  # the form of the last one first
            pattern, days = _FORMS[number]
            if match := pattern.fullmatch(text):
                self._form = number
                value = self._value(match.group, days)
                if match["second"]:
                    self._remember(text, match.start("second"), value - int(match["second"]) * 1000)
                return value
        raise ValueError("no time that can be read")

    def _remember(self, text: str, place: int, minute_ms: int) -> None:
        """Keep the result under the text without its seconds: a log has far fewer minutes than seconds."""
        if len(self._minutes) > _MAX_CACHED:
            self._minutes.clear()
        self._second_at = place
        self._minutes[text[:place] + text[place + 2 :]] = minute_ms

    def _value(self, part: Callable[..., tuple[str | None, ...]], days: str) -> int:
        date, hour, minute, second, fraction, half, zone = part(
            "date", "hour", "minute", "second", "fraction", "half", "zone"
        )
        whole = (date or "", _hour(int(hour or 0), half), zone)
        start_ms = self._hours.get(whole)
        if start_ms is None:
            start_ms = self._hours[whole] = self._hour_ms(*whole, days)
        minutes, seconds = int(minute or 0), int(second or 0)
        if minutes > 59 or seconds > 60:
            raise ValueError("no time of day")
        return start_ms + minutes * 60_000 + seconds * 1000 + (int(fraction[:3].ljust(3, "0")) if fraction else 0)

    def _hour_ms(self, date: str, hour: int, zone: str | None, days: str) -> int:
        if days == _SLASHES:
            if self.day_first is None:
                raise ValueError("nothing tells whether the day comes first")
            days = "%d/%m/%Y" if self.day_first else "%m/%d/%Y"
        local = datetime.strptime(date, days).replace(hour=hour, tzinfo=self._zone_of(zone))
        return int(local.timestamp()) * 1000

    def _zone_of(self, name: str | None) -> tzinfo:
        if name is None:
            return self._zone
        if name[0] in "+-":
            offset = timedelta(hours=int(name[1:3]), minutes=int(name[-2:]))
            return timezone(-offset if name[0] == "-" else offset)
        hours = _NAMED_HOURS.get(name.upper())
        if hours is None:
            raise ValueError("a zone that is not known")
        return timezone(timedelta(hours=hours))


class DayOrder:
    """The order of day and month in dates such as 05/11/2026, as all dates of a file show it together."""

    def __init__(self) -> None:
        """Nothing is seen yet."""
        self.seen = 0
        self._first_too_great = 0
        self._second_too_great = 0
        self._example = ""

    def look_at(self, text: str) -> None:
        """Take note of a time's date."""
        if not text:
            return
        self.seen += 1
        if (match := _SLASHED.match(text)) is None:
            return
        self._example = self._example or match[0].strip()
        self._first_too_great += int(match[1]) > _MONTHS
        self._second_too_great += int(match[2]) > _MONTHS

    @property
    def has_slashes(self) -> bool:
        """Whether there is such a date at all."""
        return bool(self._example)

    @property
    def is_open(self) -> bool:
        """Whether there are such dates, and none of them tells the order."""
        return self.has_slashes and not (self._first_too_great or self._second_too_great)

    def settled(self, day_first: bool | None) -> bool:
        """Return whether the day comes first, as the dates show or else as `day_first` says; if neither, False.

        Raises:
            ValueError: some dates can only be read in one way and some in the other, or none as `day_first` says.
        """
        days, months = self._first_too_great, self._second_too_great
        if days and months:
            raise ValueError(
                f"the file's dates have no one order: in {days:,} of them the first number is no month, in "
                f"{months:,} the second; write them as 2026-11-21"
            )
        if (days and day_first is False) or (months and day_first):
            given, shown = ("day-first", "second") if day_first else ("month-first", "first")
            raise ValueError(
                f"--dates {given} cannot be right: in {days or months:,} dates the {shown} number is no month"
            )
        return bool(days) or (not months and bool(day_first))

    def note(self) -> str:
        """Say how slash dates are read if nothing shows their order."""
        return (
            f"NOTE: {self._example} and all such dates are read with the month first; nothing in\n"
            "the file decides that. If the day comes first, say --dates day-first."
        )


def _hour(hour: int, half: str | None) -> int:
    if half is None:
        return hour
    if not 1 <= hour <= 12:
        raise ValueError("no hour of a half day")
    return hour % 12 + (12 if half in ("PM", "pm", "Pm", "pM") else 0)
