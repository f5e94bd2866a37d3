"""One `GuardLine` to each guard in a process, shared by all clients that name the same guard and key.

Many programs build a twilio client for every call they make. Shared, a gate answer still lasts its second, a guard
that is down costs one wait instead of one for each client, and no threads pile up.
"""

import atexit
import functools
import os
import threading
import time

from callguard.client.gate import Gate
from callguard.client.guard_api import GuardApi
from callguard.client.reports import Reporter
from callguard.client.settings import GuardSettings

EXIT_SECONDS = 2.0


class GuardLine:
    """What a process holds for one guard."""

    def __init__(self, settings: GuardSettings) -> None:
        self._api = GuardApi(settings)
        self.gate = Gate(self._api, settings)
        self.reports = Reporter(self._api)

    def start_afresh(self) -> None:
        """Work in a forked child: no thread, connection or unsent report of the parent's."""
        self._api.open_session()
        self.gate.start_afresh()
        self.reports.start_afresh()

    def close(self, seconds: float) -> None:
        """Send what waits, for at most `seconds`, and end the background work."""
        self.reports.flush(seconds)
        self.gate.stop()
        self.reports.stop()


class _Lines:
    def __init__(self) -> None:
        self.by_settings: dict[GuardSettings, GuardLine] = {}
        self.lock = threading.Lock()

    def start_afresh(self) -> None:
        self.lock = threading.Lock()
        for line in self.by_settings.values():
            line.start_afresh()


_lines = _Lines()


def line_to(settings: GuardSettings) -> GuardLine:
    """Return the process's line to this guard; the first call builds it and opens nothing yet."""
    _follow_process()
    with _lines.lock:
        if settings not in _lines.by_settings:
            _lines.by_settings[settings] = GuardLine(settings)
        return _lines.by_settings[settings]


def close_lines(seconds: float = EXIT_SECONDS) -> None:
    """Close every line, all of them within `seconds`."""
    ends = time.monotonic() + seconds
    with _lines.lock:
        lines = list(_lines.by_settings.values())
        _lines.by_settings.clear()
    for line in lines:
        line.close(max(0.0, ends - time.monotonic()))


@functools.cache
def _follow_process() -> None:
    atexit.register(close_lines)
    if hasattr(os, "register_at_fork"):  # not on Windows, which has no fork
        os.register_at_fork(after_in_child=_lines.start_afresh)
