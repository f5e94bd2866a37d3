"""Dates as Twilio writes and reads them. Times are unix seconds."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import lru_cache


def rfc2822(moment: float) -> str:
    """A time in RFC 2822 and UTC, such as `Fri, 18 Oct 2019 17:00:00 +0000`."""
    return _rfc2822(int(moment))


@lru_cache(maxsize=8192)
def _rfc2822(second: int) -> str:
    return format_datetime(datetime.fromtimestamp(second, UTC))


@dataclass(frozen=True, slots=True)
class DateRange:
    """Times from `start` (included) to `end` (excluded). A time that never came lies in `ANY_TIME` only."""

    start: float = float("-inf")
    end: float = float("inf")
    open: bool = False

    def holds(self, moment: float | None) -> bool:
        """Whether the time lies in the range."""
        return self.open or (moment is not None and self.start <= moment < self.end)


ANY_TIME = DateRange(open=True)
NO_TIME = DateRange(start=0.0, end=0.0)


def date_range(on: str | None, before: str | None, since: str | None) -> DateRange:
    """The range that the filters `X`, `X<` and `X>` mean together.

    Dates are `YYYY-MM-DD` or `YYYY-MM-DDTHH:MM:SSZ`. Twilio's examples answer other forms with an empty
    list, not with an error; so they mean `NO_TIME` here.
    """
    if on is None and before is None and since is None:
        return ANY_TIME
    start, end = float("-inf"), float("inf")
    try:
        if on is not None:
            day = _parse(on).replace(hour=0, minute=0, second=0)
            start, end = day.timestamp(), (day + timedelta(days=1)).timestamp()
        if since is not None:
            start = max(start, _parse(since).timestamp())
        if before is not None:
            end = min(end, _parse(before).timestamp())
    except ValueError:
        return NO_TIME
    return DateRange(start, end)


def _parse(text: str) -> datetime:
    if not re.fullmatch(r"\d{4}-\d{2}-\d{2}(T\d{2}:\d{2}:\d{2}Z)?", text):
        raise ValueError(text)
    return datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)
