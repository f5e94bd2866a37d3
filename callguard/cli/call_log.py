"""Call logs: Twilio's CSV export, and dumps that look like its API.

https://www.twilio.com/docs/voice/api/call-resource#call-properties names the columns.
"""

import csv
import io
import re
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from callguard.cli.call_times import TimeReader
from callguard.domain.calls import CallStatus
from callguard.domain.history import HistoricCall, HistoryBuilder

OUTBOUND = "outbound-api"
MOST_SHOWN = 5
PROGRESS_STEP = 4096
EXAMPLE = """\
Call SID,Status,Direction,From,To,Date Created,Start Time,End Time,Queue Time
CA0123456789abcdef0123456789abcdef,completed,outbound-api,+15550100001,+15550100002,\
2026-11-21 14:03:07,2026-11-21 14:03:09,2026-11-21 14:04:00,2000"""

_COLUMNS = {
    "sid": ("callsid", "sid"),
    "account": ("accountsid",),
    "status": ("status", "callstatus"),
    "direction": ("direction", "calldirection"),
    "from": ("from", "fromnumber"),
    "to": ("to", "tonumber"),
    "created": ("datecreated", "createddate", "createdat", "datecreatedutc"),
    "started": ("starttime", "starttimeutc", "startedat"),
    "ended": ("endtime", "endtimeutc", "endedat"),
    "queue": ("queuetime", "queuetimems"),
}
_LONG_NUMBER = re.compile(r"\d{5,}")  # a line of data, taken for the header, may hold telephone numbers
_STATUSES = {status.value: status for status in CallStatus}


class LogError(Exception):
    """A call log that cannot be used; the message says what to do."""


@dataclass(slots=True)
class Unread:
    """Rows that could not be read: how many, and the first of them with the reasons."""

    count: int = 0
    first: list[str] = field(default_factory=list)

    def note(self, line: int, reason: str) -> None:
        """Note a row by its line number. The reason must not repeat what the row says."""
        self.count += 1
        if len(self.first) < MOST_SHOWN:
            self.first.append(f"line {line}: {reason}")


@dataclass(slots=True)
class Log:
    """What was read of a call log besides the calls."""

    rows: int = 0
    other_accounts: int = 0
    accounts: Counter[str] = field(default_factory=Counter)
    unread: Unread = field(default_factory=Unread)
    shows_queue: bool = True
    notes: list[str] = field(default_factory=list)


class CallLog:
    """Reads one CSV file into a history."""

    def __init__(self, stream: BinaryIO, times: TimeReader, account_sid: str | None = None) -> None:
        """Take only calls of `account_sid`, where it is given and the file names accounts."""
        self._text = io.TextIOWrapper(stream, "utf-8-sig", errors="replace", newline="")
        self._stream, self._times, self._account_sid = stream, times, account_sid

    def read_into(self, builder: HistoryBuilder, progress: Callable[[int], None]) -> Log:
        """Read all rows; `progress` is told how many bytes have been read.

        Raises:
            LogError: columns are missing, or more rows are unreadable than readable.
        """
        log, first = Log(), self._text.readline()
        reader = csv.reader(_lines(first, self._text), delimiter=_delimiter(first), strict=False)
        try:
            header = next(reader, [])
        except csv.Error as error:
            raise LogError(f"the first line is not one of a CSV file: {error}") from None
        columns = _columns(header)
        log.shows_queue = _show_queue(columns)
        row = _RowReader(columns, len(header), self._times)
        for line, fields in _rows(reader, log.unread):
            log.rows += 1
            if log.rows % PROGRESS_STEP == 0:
                progress(self._position())
            if self._is_wanted(row, fields, log):
                try:
                    builder.add(row.read(fields))
                except ValueError as error:
                    log.unread.note(line, str(error))
        self._text.detach()
        if log.unread.count * 2 > log.rows:
            raise LogError(_mostly_unread(log))
        return log

    def _is_wanted(self, row: "_RowReader", fields: Sequence[str], log: Log) -> bool:
        account = row.account(fields)
        if not account:
            return True
        log.accounts[account] += 1
        if self._account_sid is None or account == self._account_sid:
            return True
        log.other_accounts += 1
        return False

    def _position(self) -> int:
        return self._stream.tell() if self._stream.seekable() else 0


class _RowReader:
    """Finds a call's fields in a row."""

    def __init__(self, columns: dict[str, int], width: int, times: TimeReader) -> None:
        self._width, self._times = width, times.milliseconds
        # Where a column is not there, the place behind the last one is read: it is filled with nothing.
        self._place = [columns.get(name, width) for name in _COLUMNS]
        self._account = columns.get("account", width)
        self._has_direction = "direction" in columns

    def account(self, fields: Sequence[str]) -> str:
        """Return the row's account SID, empty where there is none."""
        is_whole = self._account < len(fields) == self._width
        return fields[self._account].strip() if is_whole else ""

    def read(self, fields: list[str]) -> HistoricCall:
        """Return the call. Raises `ValueError` with a reason that repeats nothing of the row."""
        if len(fields) != self._width:
            raise ValueError(f"{len(fields)} fields, not {self._width} as in the first line")
        fields.append("")
        sid, _, status, direction, sender, to, created, started, ended, queue = [fields[i] for i in self._place]
        created_ms, started_ms = self._time(created, "time of creation"), self._time(started, "start time")
        if created_ms is None and started_ms is None:
            raise ValueError("neither a time of creation nor a start time")
        return HistoricCall(
            sid,
            created_ms,
            started_ms,
            self._time(ended, "end time"),
            _queue_ms(queue) if queue else None,
            _STATUSES.get(status) or _status(status),
            self._has_direction and direction != OUTBOUND and _is_child(direction),
            sender,
            to,
        )

    def _time(self, text: str, name: str) -> int | None:
        if not text or text == "null":
            return None
        try:
            return self._times(text)
        except ValueError:
            raise ValueError(f"the {name} cannot be read") from None


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Return where each known column stands. Raises `LogError` where one that is needed does not."""
    places = {re.sub(r"[^a-z0-9]", "", name.lower()): place for place, name in enumerate(header)}
    known = [(name, alias) for name, aliases in _COLUMNS.items() for alias in aliases]
    found = {name: places[alias] for name, alias in reversed(known) if alias in places}
    if "created" not in found and "started" not in found:
        shown = ", ".join(name.strip()[:40] for name in header[:20]) if header else "nothing: the file is empty"
        raise LogError(
            "the first line must name the columns, and none of them is a time.\n"
            f"Found: {_LONG_NUMBER.sub('***', shown)}\n"
            f"Missing: Date Created, or else Start Time\nA file that works:\n{EXAMPLE}"
        )
    return found


def _show_queue(columns: Mapping[str, int]) -> bool:
    """Return whether one can tell how long a call was queued."""
    return "queue" in columns or ("created" in columns and ("started" in columns or "ended" in columns))


def _rows(reader: Any, unread: Unread) -> Iterator[tuple[int, list[str]]]:
    """Yield the rows that are not blank, each with the number of its (last) line."""
    while True:
        try:
            for fields in reader:
                if fields:
                    yield reader.line_num, fields
            return
        except csv.Error:
            unread.note(reader.line_num, "no CSV")


def _lines(first: str, rest: Iterator[str]) -> Iterator[str]:
    yield first
    yield from rest


def _delimiter(first: str) -> str:
    return max(",;\t", key=first.count)


def _status(text: str) -> CallStatus | None:
    return _STATUSES.get(text.strip().lower().replace("_", "-").replace(" ", "-"))


def _is_child(direction: str) -> bool:
    word = re.sub(r"[ _-]+", "-", direction.strip().lower())
    return bool(word) and word != OUTBOUND


def _queue_ms(text: str) -> int | None:
    text = text.strip()
    return int(text) if text.isascii() and text.isdigit() else None


def _mostly_unread(log: Log) -> str:
    head = f"{log.unread.count:,} of {log.rows:,} rows cannot be read."
    return "\n".join([head, *log.unread.first, "A file that works:", EXAMPLE])
