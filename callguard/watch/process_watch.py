"""Tells people when a kind of process falls silent, and when it is back; any other process may do so."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from callguard.clock import Clock
from callguard.domain.notices import EVERY_ACCOUNT, Notice, NoticeKind
from callguard.domain.wording import span
from callguard.errors import StoreUnavailable
from callguard.watch.needs import Heartbeats, Notices

SILENT_SECONDS = 30.0

_NO_MOMENT_MS = 1 << 50
"""Ages are counted from this moment, so that two different beats differ whatever the clocks are."""

_MEANS: Mapping[str, str] = {
    "watcher": (
        "Twilio's queue is not polled and nothing is armed again; callbacks are still counted, and a trip still "
        "wakes the cancel workers. Start it again: `python -m workers`, or `callguard up`"
    ),
    "cancel-worker": (
        "Nothing is cancelled until one runs; trips are still seen and told. Start them again: `python -m "
        "workers`, or `callguard up`"
    ),
    "web": (
        "Callbacks and reports are not taken, and programs that ask the gate get no answer; Twilio's queue is "
        "still polled. Start it again: `gunicorn wsgi:app`, or `callguard up`"
    ),
}


@dataclass(slots=True)
class _Heard:
    """The last beat of a kind of process, when (monotonic) it was heard, and since when it is known to be gone."""

    beat: float
    at: float
    gone_ms: int = 0


class ProcessWatch:
    """Tells when no process of a kind has given a sign of life for `SILENT_SECONDS`, and when one is back.

    It uses its own clock: a beat counts if it differs from the last one. It does not report times in which it was
    not running, or Redis was away.
    """

    def __init__(
        self, heartbeats: Heartbeats, notices: Notices, clock: Clock, monotonic: Callable[[], float]
    ) -> None:
        """Keep the ports; `monotonic` gives seconds for intervals."""
        self._heartbeats = heartbeats
        self._notices = notices
        self._clock = clock
        self._monotonic = monotonic
        self._heard: dict[str, _Heard] = {}

    def look(self) -> None:
        """Look at the beats and tell what is new. Of all processes that look, only one tells.

        Raises:
            StoreUnavailable: no process may have been able to beat, so the silence of each counts from now.
        """
        try:
            beats = self._heartbeats.ages(_NO_MOMENT_MS)
        except StoreUnavailable:
            now = self._monotonic()
            for heard in self._heard.values():
                heard.at = now
            raise
        for process, beat in beats.items():
            if process in _MEANS:
                self._hear(process, beat)

    def _hear(self, process: str, beat: float) -> None:
        now = self._monotonic()
        heard = self._heard.setdefault(process, _Heard(beat, now))
        if beat != heard.beat:
            if heard.gone_ms:
                self._tell_back(process, heard)
            self._heard[process] = _Heard(beat, now)
        elif now - heard.at >= SILENT_SECONDS and not heard.gone_ms:
            self._tell_gone(process, beat)
            heard.gone_ms = self._clock.now_ms()

    def _tell_gone(self, process: str, beat: float) -> None:
        text = f"no {process} has given a sign of life for {SILENT_SECONDS:.0f} s. {_MEANS[process]}."
        self._post(text, f"process:{process}:{beat:.3f}")

    def _tell_back(self, process: str, heard: _Heard) -> None:
        away = (self._clock.now_ms() - heard.gone_ms) / 1000 + SILENT_SECONDS
        text = f"a {process} gives signs of life again, after {span(away)}. Nothing is to be done."
        self._post(text, f"process-back:{process}:{heard.beat:.3f}")

    def _post(self, text: str, once: str) -> None:
        notice = Notice(EVERY_ACCOUNT, NoticeKind.PROCESS, text, self._clock.now_ms())
        self._notices.post(notice, once=once)
