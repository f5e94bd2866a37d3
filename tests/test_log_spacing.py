"""Strangers cannot fill the log."""

import io
import logging

import pytest

from callguard.log_spacing import MAX_A_MINUTE, MAX_CHARACTERS, MAX_KINDS, Spacing


class Case:
    """A handler on a clock that is moved."""

    def __init__(self) -> None:
        self.now = 0.0
        self.written = io.StringIO()
        self._handler = logging.StreamHandler(self.written)
        self._handler.addFilter(Spacing(self._handler, lambda: self.now))

    def log(self, name: str, text: str, *args: object, level: int = logging.WARNING) -> None:
        self._handler.handle(logging.LogRecord(name, level, "", 0, text, args, None))

    @property
    def lines(self) -> list[str]:
        return self.written.getvalue().splitlines()


def test_of_five_thousand_like_lines_a_few_are_written_and_the_rest_is_counted() -> None:
    case = Case()
    for number in range(5_000):
        case.log("gunicorn.error", f"Invalid request from ip=192.0.2.{number % 250}: Invalid method: {number!r}")
    assert len(case.lines) == MAX_A_MINUTE

    case.now += 61
    case.log("callguard.watch.watcher", "anything else")

    assert case.lines[MAX_A_MINUTE:] == [
        f"{5_000 - MAX_A_MINUTE} more lines were left out, like: Invalid request from",
        "anything else",
    ]
    case.log("gunicorn.error", "Invalid request from ip=192.0.2.1: again")
    assert case.lines[-1] == "Invalid request from ip=192.0.2.1: again"


def test_each_kind_of_line_has_its_own_measure() -> None:
    case = Case()
    for _ in range(50):
        case.log("gunicorn.error", "Invalid request from ip=192.0.2.1: x")
        case.log("gunicorn.error", "Socket error processing request.", level=logging.ERROR)
        case.log("callguard.metrics.collector", "metrics: %s", "Redis did not answer")
        case.log("callguard", "Exception on %s [%s]", "/api/accounts", "GET", level=logging.ERROR)

    assert len(case.lines) == 4 * MAX_A_MINUTE


def test_what_strangers_cannot_set_off_is_written_whole() -> None:
    case = Case()
    for _ in range(100):
        case.log("callguard.detect.guard", "account %s TRIPPED", "AC1")
        case.log("callguard.watch.account_watch", "account %s: %s", "AC1", "blind")

    assert len(case.lines) == 200


def test_a_line_that_repeats_a_request_is_cut() -> None:
    case = Case()
    case.log("gunicorn.error", "Invalid request from ip=192.0.2.1: Invalid HTTP Header: '100%s" + "x" * 8_000)
    case.log("gunicorn.error", "SIGHUP: nothing was changed: %s", "x" * 2_000)

    assert len(case.lines[0]) == MAX_CHARACTERS + 1
    assert len(case.lines[1]) > 2_000


def test_endless_kinds_take_no_memory() -> None:
    case = Case()
    for number in range(10_000):
        case.log("gunicorn.error", f"{number} is another kind")

    assert len(case.lines) == MAX_KINDS + MAX_A_MINUTE


@pytest.mark.parametrize("name", ["callguard.webhooks", "gunicorn.access", "callguard.cli.up"])
def test_other_loggers_are_left_alone(name: str) -> None:
    case = Case()
    for _ in range(20):
        case.log(name, "x")

    assert len(case.lines) == 20
