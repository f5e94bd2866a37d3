"""Moments as people write them on a command line."""

from datetime import UTC, datetime, timedelta

import click

_UNITS = {"m": 60, "h": 3600, "d": 86_400}


class Moment(click.ParamType[datetime]):
    """A moment: ISO 8601, a clock time such as `18:00` (the next one), or a span such as `90m`, `2h`, `1d`.

    What has no zone is in the machine's own; the result is in UTC.
    """

    name = "time"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read a moment; `click.BadParameter` says what may be written."""
        if isinstance(value, datetime):
            return value
        now = datetime.now().astimezone()
        try:
            moment = _span(value, now) or _clock_time(value, now) or _iso(value)
        except OverflowError:
            moment = None
        if moment is None:
            self.fail(
                f"{value!r} is no time. Write for example 18:00, 2h, 2026-11-21T18:00 or 2026-11-21T18:00+01:00.",
                param,
                ctx,
            )
        return moment.astimezone(UTC)


def _span(text: str, now: datetime) -> datetime | None:
    number, unit = text[:-1].lstrip("+"), text[-1:]
    if unit not in _UNITS or not number.isdecimal():
        return None
    return now + timedelta(seconds=int(number) * _UNITS[unit])


def _clock_time(text: str, now: datetime) -> datetime | None:
    try:
        moment = datetime.combine(now.date(), datetime.strptime(text, "%H:%M").time())  # noqa: DTZ007 (local)
    except ValueError:
        return None
    # In autumn an hour comes twice: `fold` is the second one.
    candidates = (moment, moment.replace(fold=1), moment + timedelta(days=1))
    return next(local for candidate in candidates if (local := candidate.astimezone()) > now)


def _iso(text: str) -> datetime | None:
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        return None
