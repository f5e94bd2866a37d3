"""Call logs: Twilio's CSV export, its bulk export, and dumps that look like its API.

https://www.twilio.com/docs/voice/api/call-resource#call-properties names the columns. A log is read whole or
refused: a row with an unknown word is never left out silently.
"""

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

from callguard.cli.backtest.call_table import CallTable, LogError, Unread, table_of
from callguard.cli.backtest.call_times import DayOrder, TimeReader
from callguard.cli.backtest.call_words import (
    OUTBOUND,
    NotUnderstood,
    is_blank,
    is_by_api,
    shown,
    status_named,
)
from callguard.domain.calls import CallStatus
from callguard.domain.history import HistoricCall, HistoryBuilder

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
    "parent": ("parentcallsid", "parentsid"),
    "from": ("from", "fromnumber"),
    "to": ("to", "tonumber"),
    "created": ("datecreated", "createddate", "createdat", "datecreatedutc"),
    "started": ("starttime", "starttimeutc", "startedat"),
    "ended": ("endtime", "endtimeutc", "endedat"),
    "queue": ("queuetime", "queuetimems"),
}
_TIMES = ("created", "started", "ended")
_ENOUGH_WITHOUT_SLASHES = 1000
_STATUSES = {status.value: status for status in CallStatus}


@dataclass(slots=True)
class Log:
    """What was read of a call log besides the calls. `doubts`: why conclusions from it are uncertain."""

    rows: int = 0
    other_accounts: int = 0
    accounts: Counter[str] = field(default_factory=Counter)
    other_directions: Counter[str] = field(default_factory=Counter)
    unread: Unread = field(default_factory=Unread)
    shows_queue: bool = True
    notes: list[str] = field(default_factory=list)
    doubts: list[str] = field(default_factory=list)


class CallLog:
    """Reads one file into a history."""

    def __init__(
        self,
        stream: BinaryIO,
        times: TimeReader,
        account_sid: str | None = None,
        *,
        day_first: bool | None = None,
    ) -> None:
        """Take only calls of `account_sid`, where it is given and the file names accounts.

        `day_first` says how dates such as 05/11/2026 are meant; None: as the file shows by its other dates.
        """
        self._stream, self._times, self._account_sid, self._day_first = stream, times, account_sid, day_first

    def read_into(self, builder: HistoryBuilder, progress: Callable[[int], None]) -> Log:
        """Read all rows; `progress` is told how many bytes have been read.

        Raises:
            LogError: columns are missing, something in them was not understood, or more rows are unreadable than
                readable.
        """
        with table_of(self._stream) as table:
            return self._read(table, builder, progress)

    def _read(self, table: CallTable, builder: HistoryBuilder, progress: Callable[[int], None]) -> Log:
        log = Log()
        columns = _columns(table.header)
        log.shows_queue = _show_queue(columns)
        self._settle_day_order(table, columns, log)
        row, misread = _RowReader(columns, table.header, self._times), 0
        for line, fields in table.rows(log.unread):
            log.rows += 1
            if log.rows % PROGRESS_STEP == 0:
                progress(self._position())
            if self._is_wanted(row, fields, log):
                try:
                    builder.add(row.read(fields))
                except ValueError as error:
                    log.unread.note(line, str(error))
                    misread += 1
        log.rows += log.unread.count - misread  # those that are no rows at all
        log.other_directions = row.other_directions
        if row.not_understood:
            raise LogError(_unknown_words(row.not_understood))
        if log.unread.count * 2 > log.rows:
            raise LogError(_mostly_unread(log))
        return log

    def _settle_day_order(self, table: CallTable, columns: Mapping[str, int], log: Log) -> None:
        """Look at all dates first: 05/11/2026 alone does not tell whether it is in May or in November."""
        places = [columns[name] for name in _TIMES if name in columns]
        order = DayOrder()
        for _, fields in table.rows(Unread()):
            for place in places:
                if place < len(fields):
                    order.look_at(fields[place])
            if not order.has_slashes and order.seen >= _ENOUGH_WITHOUT_SLASHES:
                break
        if not order.has_slashes:
            self._times.day_first = None  # one that comes all the same cannot be read
            return
        try:
            self._times.day_first = order.settled(self._day_first)
        except ValueError as error:
            raise LogError(str(error)) from None
        if order.is_open and self._day_first is None:
            log.notes.append(order.note())
            log.doubts.append("the order of day and month is not known")

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

    def __init__(self, columns: dict[str, int], header: Sequence[str], times: TimeReader) -> None:
        self._width, self._times = len(header), times.milliseconds
        self._names = {name: header[place] for name, place in columns.items()}
        # A column that the file lacks is read from the place behind the last one, which is filled with nothing.
        self._place = [columns.get(name, self._width) for name in _COLUMNS]
        self._account = columns.get("account", self._width)
        self.not_understood = NotUnderstood()
        self.other_directions: Counter[str] = Counter()

    def account(self, fields: Sequence[str]) -> str:
        """Return the row's account SID, empty where there is none."""
        is_whole = self._account < len(fields) == self._width
        return fields[self._account].strip() if is_whole else ""

    def read(self, fields: list[str]) -> HistoricCall:
        """Return the call. Raises `ValueError` with a reason that repeats nothing of the row."""
        if len(fields) != self._width:
            raise ValueError(f"{len(fields)} fields, not {self._width} as in the first line")
        fields.append("")
        sid, _, status, direction, parent, sender, to, created, started, ended, queue = [
            fields[i] for i in self._place
        ]
        created_ms, started_ms = self._time(created, "time of creation"), self._time(started, "start time")
        if created_ms is None and started_ms is None:
            raise ValueError("neither a time of creation nor a start time")
        return HistoricCall(
            sid,
            created_ms,
            started_ms,
            self._time(ended, "end time"),
            self._queue_ms(queue) if queue else None,
            _STATUSES.get(status) or self._status(status),
            not (direction == OUTBOUND and not parent) and self._is_child(direction, parent),
            sender,
            to,
        )

    def _time(self, text: str, name: str) -> int | None:
        if not text or is_blank(text):
            return None
        try:
            return self._times(text)
        except ValueError:
            raise ValueError(f"the {name} cannot be read") from None

    def _status(self, text: str) -> CallStatus | None:
        status = status_named(text)
        if status is None and not is_blank(text):
            self.not_understood.note(self._names["status"], text)
        return status

    def _is_child(self, direction: str, parent: str) -> bool:
        """Return whether an API request did not make the call; without a direction, whether it has a parent."""
        has_parent = not is_blank(parent)
        by_api = True if is_blank(direction) else is_by_api(direction)
        if by_api is None:
            self.not_understood.note(self._names["direction"], direction)
        is_child = has_parent or not by_api
        if is_child:
            self.other_directions[direction if not is_blank(direction) else "a leg without a direction"] += 1
        return is_child

    def _queue_ms(self, text: str) -> int | None:
        text = text.strip()
        if re.fullmatch(r"[0-9]{1,12}(?:\.[0-9]+)?", text):
            return int(float(text))
        if not is_blank(text):
            self.not_understood.note(self._names["queue"], text)
        return None


def _columns(header: Sequence[str]) -> dict[str, int]:
    """Return the place of each known column. Raises `LogError` if none of them is a time."""
    places = {re.sub(r"[^a-z0-9]", "", name.lower()): place for place, name in enumerate(header)}
    known = [(name, alias) for name, aliases in _COLUMNS.items() for alias in aliases]
    found = {name: places[alias] for name, alias in reversed(known) if alias in places}
    if "created" not in found and "started" not in found:
        names = ", ".join(map(shown, header[:20])) if header else "nothing: the file is empty"
        raise LogError(
            "the first line must name the columns, and none of them is a time.\n"
            f"Found: {names}\n"
            f"Missing: Date Created, or else Start Time\nA file that works:\n{EXAMPLE}"
        )
    return found


def _show_queue(columns: Mapping[str, int]) -> bool:
    """Return whether the rows show how long calls were queued."""
    return "queue" in columns or ("created" in columns and ("started" in columns or "ended" in columns))


def _mostly_unread(log: Log) -> str:
    head = f"{log.unread.count:,} of {log.rows:,} rows cannot be read."
    return "\n".join([head, *log.unread.first, "A file that works:", EXAMPLE])


def _unknown_words(not_understood: NotUnderstood) -> str:
    return "\n".join(
        [
            "the file has values that CallGuard does not know, so nothing was replayed:",
            *not_understood.lines(),
            "Directions are outbound-api, outbound-dial, inbound (or Outgoing API, Outgoing Dial, Incoming);",
            f"statuses are {', '.join(_STATUSES)};",
            "a queue time is in milliseconds. Write one of these instead, or leave such rows out yourself.",
        ]
    )
