"""Moments as people write them on a command line."""

import re
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime

import click

_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


_SPAN = re.compile(r"\+?([0-9]+(?:\.[0-9]+)?)([smhd])")


class _SkippedError(Exception):
    """The clocks were put forward past that time."""


class Span(click.ParamType[timedelta]):
    """A length of time such as `90s`, `30m`, `2h`, `1d`."""

    name = "span"

    def convert(
        self, value: str | timedelta, param: click.Parameter | None, ctx: click.Context | None
    ) -> timedelta:
        """Read a length of time; `click.BadParameter` says what may be written."""
        if isinstance(value, timedelta):
            return value
        written = _SPAN.fullmatch(value)
        try:
            span = timedelta(seconds=float(written[1]) * _UNITS[written[2]]) if written is not None else None
        except OverflowError:
            span = None
        if span is None:
            self.fail(f"{value!r} is no length of time. Write for example 30m, 2h or 1d.", param, ctx)
        return span


class Moment(click.ParamType[datetime]):
    """A moment: ISO 8601, a clock time such as `18:00` (the next one), or a span such as `90m`, `2h`, `1d`.

    What has no zone is in the machine's own; the result is in UTC.
    """

    name = "time"
    _examples = "18:00, 2h, 2026-11-21T18:00 or 2026-11-21T18:00+01:00"

    def convert(self, value: str | datetime, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read a moment; `click.BadParameter` says what may be written."""
        if isinstance(value, datetime):
            return value
        now = datetime.now().astimezone()
        try:
            moment = self._read(value, now)
        except OverflowError:
            moment = None
        except _SkippedError:
            self.fail(f"{value!r} was or is skipped here, as the clocks are put forward. Add a zone.", param, ctx)
        if moment is None:
            self.fail(f"{value!r} is no time. Write for example {self._examples}.", param, ctx)
        return moment.astimezone(UTC)

    def _read(self, text: str, now: datetime) -> datetime | None:
        return _span(text, now) or _clock_time(text, now) or _iso(text)


class PastMoment(Moment):
    """A moment that lies behind us: `18:00` is the latest one, `2h` is two hours ago.

    Also as Twilio's API writes its times: `Sat, 21 Nov 2026 18:00:00 +0000`.
    """

    _examples = "14:05, 10m, 1.5h, 2026-11-21T14:05, 2026-11-21T14:05+01:00 or 2026-11-21T13:05Z"

    def _read(self, text: str, now: datetime) -> datetime | None:
        ahead = _span(text, now)
        if ahead is not None:
            return (now - (ahead - now)).replace(microsecond=0)
        return _clock_time(text, now, past=True) or _iso(text) or _rfc_2822(text)


def _span(text: str, now: datetime) -> datetime | None:
    written = _SPAN.fullmatch(text)
    return now + timedelta(seconds=float(written[1]) * _UNITS[written[2]]) if written else None


def _clock_time(text: str, now: datetime, *, past: bool = False) -> datetime | None:
    form = "%H:%M:%S" if text.count(":") == 2 else "%H:%M"
    try:
        moment = datetime.combine(now.date(), datetime.strptime(text, form).time())  # noqa: DTZ007 (local)
    except ValueError:
        return None
    # In autumn an hour comes twice: `fold` is the second one.
    if past:
        earlier = (moment.replace(fold=1), moment, moment - timedelta(days=1))
        return next(_there(candidate) for candidate in earlier if candidate.astimezone() <= now)
    candidates = (moment, moment.replace(fold=1), moment + timedelta(days=1))
    return next(_there(candidate) for candidate in candidates if candidate.astimezone() > now)


def _there(moment: datetime) -> datetime:
    """Return a moment with its zone, by default the machine's own."""
    local = moment.astimezone()
    if moment.tzinfo is None and local.astimezone(UTC).astimezone().replace(tzinfo=None, fold=0) != moment.replace(
        fold=0
    ):
        raise _SkippedError
    return local


def _iso(text: str) -> datetime | None:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return None
    return _there(moment)


def _rfc_2822(text: str) -> datetime | None:
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return moment if moment.tzinfo is not None else None
