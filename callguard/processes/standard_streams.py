"""Standard input, output and error, of which whoever starts us may have closed some."""

import io
import logging
import os
import sys
from contextlib import suppress
from typing import Any

_log = logging.getLogger(__name__)


def open_closed_streams() -> None:
    """Open `/dev/null` in place of each standard stream that is closed.

    Else the next file or socket gets its number, and is what a child program takes for its standard input.
    """
    for fd, name, mode in ((0, "stdin", "r"), (1, "stdout", "w"), (2, "stderr", "w")):
        try:
            os.fstat(fd)
        except OSError:
            os.dup2(null := os.open(os.devnull, os.O_RDWR), fd)
            os.set_inheritable(fd, True)
            if null != fd:
                os.close(null)
            setattr(sys, name, os.fdopen(fd, mode))


class LastingOutput(io.TextIOBase):
    """An output that does not end whoever writes to it: once a write fails, what is written is dropped.

    A guard must not stop because a disk is full, or because nobody reads its pipe any more.
    """

    def __init__(self, stream: Any) -> None:
        """Write to `stream`, a text stream."""
        self._stream = stream

    def write(self, text: str) -> int:
        """Write, or drop it."""
        try:
            self._stream.write(text)
        except OSError as error:
            self._give_up(error)
        return len(text)

    def flush(self) -> None:
        """Write what is held back, or drop it."""
        try:
            self._stream.flush()
        except OSError as error:
            self._give_up(error)

    def fileno(self) -> int:
        """Return the stream's own."""
        return int(self._stream.fileno())

    def isatty(self) -> bool:
        """Return whether the stream is a terminal."""
        return bool(self._stream.isatty())

    @property
    def encoding(self) -> str:  # type: ignore[override]
        """The stream's own."""
        return str(self._stream.encoding)

    def _give_up(self, error: OSError) -> None:
        """What the stream still holds would fail at our end once more: let it go nowhere."""
        _log.warning("standard output cannot be written (%s): what it would have said is dropped", error.strerror)
        with suppress(OSError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
