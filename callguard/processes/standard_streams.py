"""Standard input, output and error, some of which may be closed when we are started."""

import io
import logging
import os
import sys
from contextlib import suppress
from typing import Any

_log = logging.getLogger(__name__)


def open_closed_streams() -> None:
    """Open `/dev/null` in place of each standard stream that is closed.

    Otherwise the next file or socket would get its number, and a child program would use it as standard input.
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
    """An output that never ends its writer: once a write fails, further text is dropped.

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
        """Send what the stream still holds to nowhere, as writing it at our end would fail once more."""
        _log.warning("standard output cannot be written (%s): further output is dropped", error.strerror)
        with suppress(OSError):
            null = os.open(os.devnull, os.O_WRONLY)
            os.dup2(null, self._stream.fileno())
            os.close(null)
