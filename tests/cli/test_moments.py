"""Moments as people write them."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import click
import pytest

from callguard.cli.moments import Moment, PastMoment


def read(text: str) -> datetime:
    moment = Moment().convert(text, None, None)
    assert moment.tzinfo is UTC
    return moment


@pytest.mark.parametrize(("text", "ahead"), [("90m", 90), ("2h", 120), ("+2h", 120), ("1d", 1440)])
def test_a_span_is_from_now(text: str, ahead: int) -> None:
    assert abs(read(text) - datetime.now(UTC) - timedelta(minutes=ahead)) < timedelta(seconds=5)


def test_a_clock_time_is_the_next_one() -> None:
    for hour in range(24):
        moment = read(f"{hour}:30")

        assert timedelta() < moment - datetime.now(UTC) <= timedelta(hours=25)
        assert (moment.astimezone().hour, moment.astimezone().minute) == (hour, 30)


def test_a_zone_is_kept_to() -> None:
    assert read("2026-11-21T18:00+01:00") == datetime(2026, 11, 21, 17, tzinfo=UTC)
    assert read("2026-11-21T18:00Z") == datetime(2026, 11, 21, 18, tzinfo=UTC)


def test_without_a_zone_the_machines_own_counts() -> None:
    assert read("2026-11-21 18:00") == datetime(2026, 11, 21, 18).astimezone()


@pytest.mark.parametrize("text", ["", "soon", "25:00", "2h30", "-2h", "2026-13-01", "h"])
def test_anything_else_is_refused_with_examples(text: str) -> None:
    with pytest.raises(click.BadParameter, match="18:00, 2h"):
        read(text)


@pytest.mark.parametrize(("text", "seconds"), [("10s", 10), ("1.5h", 5400), ("0.5m", 30)])
def test_seconds_and_parts_of_hours_are_spans_too(text: str, seconds: int) -> None:
    assert abs(read(text) - datetime.now(UTC) - timedelta(seconds=seconds)) < timedelta(seconds=5)
    assert abs(datetime.now(UTC) - past(text) - timedelta(seconds=seconds)) < timedelta(seconds=5)


def test_a_clock_time_may_have_seconds() -> None:
    moment = past("14:05:30").astimezone()

    assert (moment.hour, moment.minute, moment.second) == (14, 5, 30)
    assert moment <= datetime.now(UTC)


@pytest.fixture
def new_york(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """This machine is there."""
    monkeypatch.setenv("TZ", "America/New_York")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.usefixtures("new_york")
def test_a_time_that_the_clocks_skip_is_refused() -> None:
    with pytest.raises(click.BadParameter, match="skipped"):
        past("2026-03-08T02:30")
    assert past("2026-03-08T02:30-05:00") == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)
    assert past("2026-03-08T03:30") == datetime(2026, 3, 8, 7, 30, tzinfo=UTC)
    assert past("2026-11-01T01:30") == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def past(text: str) -> datetime:
    moment = PastMoment().convert(text, None, None)
    assert moment.tzinfo is UTC
    return moment


@pytest.mark.parametrize(("text", "ago"), [("90m", 90), ("2h", 120), ("1d", 1440)])
def test_a_span_behind_us_ends_now(text: str, ago: int) -> None:
    assert abs(datetime.now(UTC) - past(text) - timedelta(minutes=ago)) < timedelta(seconds=5)


def test_a_clock_time_behind_us_is_the_latest_one() -> None:
    for hour in range(24):
        moment = past(f"{hour}:30")

        assert timedelta() <= datetime.now(UTC) - moment <= timedelta(hours=25)
        assert (moment.astimezone().hour, moment.astimezone().minute) == (hour, 30)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-21T18:00+05:00",
        "2026-11-21 13:00:00Z",
        "Sat, 21 Nov 2026 13:00:00 +0000",
        "2026-11-21T08:00-05:00",
    ],
)
def test_twilios_and_everybodys_ways_of_writing_a_zone(text: str) -> None:
    assert past(text) == datetime(2026, 11, 21, 13, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "soon", "25:00", "-2h", "21 Nov 2026 13:00", "yesterday"])
def test_anything_else_behind_us_is_refused_with_examples(text: str) -> None:
    with pytest.raises(click.BadParameter, match="14:05, 10m"):
        past(text)
