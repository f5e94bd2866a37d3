"""Call logs as tables: CSV, and JSON as Twilio's bulk export and API have it, plain or packed with gzip.

https://www.twilio.com/docs/usage/bulkexport has a JSON object of one call in each line.
"""

import csv
import gzip
import io
import json
import shutil
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from tempfile import SpooledTemporaryFile
from typing import Any, BinaryIO, Protocol, cast

from callguard.cli.backtest.call_words import MAX_SHOWN

_GZIP = b"\x1f\x8b"
_MAX_IN_MEMORY = 64 * 1024 * 1024


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
        if len(self.first) < MAX_SHOWN:
            self.first.append(f"line {line}: {reason}")


class CallTable(Protocol):
    """A header, and rows that may be gone through more than once."""

    @property
    def header(self) -> list[str]:
        """The names of the columns."""

    def rows(self, unread: Unread) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows that are not blank, each with the number of its (last) line."""


@contextmanager
def table_of(stream: BinaryIO) -> Iterator[CallTable]:
    """Lend the table that a file holds.

    Raises:
        LogError: the file holds no table, or breaks off.
    """
    with _seekable(stream) as file:
        plain = _unpacked(file)
        try:
            start = plain.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
            yield JsonTable(plain) if start[:1] in (b"{", b"[") else CsvTable(plain)
        except (EOFError, zlib.error, gzip.BadGzipFile):
            raise LogError("the file begins like a gzip file and is none, or not a whole one") from None


@contextmanager
def _seekable(stream: BinaryIO) -> Iterator[BinaryIO]:
    if stream.seekable():
        yield stream
        return
    with SpooledTemporaryFile(max_size=_MAX_IN_MEMORY) as copy:
        shutil.copyfileobj(stream, copy)
        copy.seek(0)
        yield cast(BinaryIO, copy)


def _unpacked(stream: BinaryIO) -> BinaryIO:
    start = stream.read(2)
    stream.seek(0)
    return cast(BinaryIO, gzip.GzipFile(fileobj=stream)) if start == _GZIP else stream


class CsvTable:
    """Twilio's CSV export, and what looks like it: commas, semicolons or tabs."""

    def __init__(self, stream: BinaryIO) -> None:
        """Read the header."""
        self._stream = stream
        with self._text() as text:
            self._delimiter = max(",;\t", key=text.readline().count)
        with self._text() as text:
            try:
                self.header = next(csv.reader(text, delimiter=self._delimiter), [])
            except csv.Error as error:
                raise LogError(f"the first line is not one of a CSV file: {error}") from None

    def rows(self, unread: Unread) -> Iterator[tuple[int, list[str]]]:
        """Yield the rows."""
        with self._text() as text:
            reader = csv.reader(text, delimiter=self._delimiter, strict=False)
            next(reader, None)
            while True:
                try:
                    for fields in reader:
                        if fields:
                            yield reader.line_num, fields
                    return
                except csv.Error:
                    unread.note(reader.line_num, "no CSV")

    @contextmanager
    def _text(self) -> Iterator[io.TextIOWrapper]:
        """Lend the file as text, from its beginning."""
        self._stream.seek(0)
        text = io.TextIOWrapper(self._stream, "utf-8-sig", errors="replace", newline="")
        try:
            yield text
        finally:
            text.detach()  # else the file would be closed with it


class JsonTable:
    """Calls as JSON objects: one in each line, or a list of them, or the answer of Twilio's API."""

    def __init__(self, stream: BinaryIO) -> None:
        """Find out which of these it is."""
        self._stream = stream
        first = next((call for _, call in self._lines() if call is not None), None)
        self._calls = None if _is_call(first) else self._whole()
        one: Any = first if self._calls is None else next(iter(self._calls), {})
        self.header = [str(name) for name in one] if isinstance(one, dict) else []

    def rows(self, unread: Unread) -> Iterator[tuple[int, list[str]]]:
        """Yield the calls; members that the first call does not have are ignored."""
        for line, call in self._lines() if self._calls is None else enumerate(self._calls, 1):
            if isinstance(call, dict):
                yield line, [_text(call.get(name)) for name in self.header]
            else:
                unread.note(line, "no JSON object")

    def _lines(self) -> Iterator[tuple[int, Any]]:
        """Yield what each line holds, None for no JSON."""
        self._stream.seek(0)
        for number, line in enumerate(self._stream, 1):
            if line.strip():
                yield number, _parsed(line)

    def _whole(self) -> list[Any]:
        self._stream.seek(0)
        parsed = _parsed(self._stream.read())
        calls = parsed.get("calls") if isinstance(parsed, dict) else parsed
        if not isinstance(calls, list):
            raise LogError(
                "the file begins like JSON and holds no calls: neither an object in each line, as Twilio's bulk "
                'export has it, nor a list, nor {"calls": [...]}'
            )
        return calls


def _is_call(parsed: Any) -> bool:
    return isinstance(parsed, dict) and not isinstance(parsed.get("calls"), list)


def _parsed(text: bytes) -> Any:
    try:
        return json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError):
        return None


def _text(value: Any) -> str:
    """Return a member as a CSV file would have it."""
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value)
