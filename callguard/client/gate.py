"""Asks the guard before a create, and never makes a create wait for a guard that is down.

Every request to the guard runs in a thread of its own, and the create waits for it on a clock. So the bound also
holds where a socket's timeout does not (name resolution, an answer that trickles in). A thread whose request fails
becomes the prober: it asks again at growing intervals until the guard answers, and meanwhile no create waits.
"""

import threading
import time

from callguard.client.guard_api import GuardApi, GuardSilent, Verdict
from callguard.client.log import Seldom, log
from callguard.client.settings import GuardSettings

_INITIAL_PAUSE, _MAX_PAUSE = 1.0, 30.0
_UNKNOWN_SECONDS = 10.0  # an account that the guard does not know is seldom added within the second


class Gate:
    """The last answers of one guard, by account; safe for threads."""

    def __init__(self, api: GuardApi, settings: GuardSettings) -> None:
        self._api = api
        self._timeout = settings.gate_timeout
        self._answer_seconds = settings.answer_seconds
        self._warning = Seldom()
        self._answers: dict[str, tuple[Verdict, float]] = {}
        self.start_afresh()

    def start_afresh(self) -> None:
        """Forget threads that a fork left behind in the parent."""
        self._changed = threading.Condition()
        self._stopped = threading.Event()
        self._asking: set[str] = set()
        self._prober: threading.Thread | None = None
        self._silent = False

    def ask(self, account_sid: str) -> Verdict | None:
        """Return the guard's verdict, at most `answer_seconds` old, or None when the guard is silent.

        Waits `gate_timeout` at most, and not at all while the guard is known to be down.
        """
        began = time.monotonic()
        with self._changed:
            if self._is_open(account_sid, began):
                self._start_ask(account_sid)
                if not self._changed.wait_for(lambda: not self._is_open(account_sid, began), self._timeout):
                    self._fall_silent("no answer in time")
            return self._known(account_sid, began)

    def stop(self) -> None:
        """End the probing."""
        self._stopped.set()

    def _is_open(self, account_sid: str, began: float) -> bool:
        return not self._silent and self._known(account_sid, began) is None

    def _known(self, account_sid: str, began: float) -> Verdict | None:
        verdict, came = self._answers.get(account_sid, (None, 0.0))
        if verdict is None:
            return None
        life = self._answer_seconds if verdict.allowed is not None else _UNKNOWN_SECONDS
        # An answer that came while the caller waited is good, even if the caller woke up late.
        return verdict if came >= began or time.monotonic() < came + life else None

    def _start_ask(self, account_sid: str) -> None:
        if account_sid in self._asking:
            return
        thread = threading.Thread(
            target=self._ask_until_answered, args=(account_sid,), name="callguard-gate", daemon=True
        )
        thread.start()  # a RuntimeError (no more threads) is the caller's to swallow: nothing is noted yet
        self._asking.add(account_sid)

    def _ask_until_answered(self, account_sid: str) -> None:
        pause = 0.0
        while (pause := self._ask_once(account_sid, pause)) and not self._stopped.wait(pause):
            pass

    def _ask_once(self, account_sid: str, pause: float) -> float:
        """Ask, note the answer, and return the seconds until the next probe, or 0 for none."""
        began = time.monotonic()
        verdict, problem = self._verdict(account_sid)
        came = time.monotonic()
        with self._changed:
            if verdict is not None:
                self._answers[account_sid] = (verdict, came)
            is_healthy = verdict is not None and came - began <= self._timeout
            self._note_health(is_healthy, problem)
            pause = self._next_pause(is_healthy, verdict is not None, pause)
            if not pause:
                self._asking.discard(account_sid)
            self._changed.notify_all()
        return pause

    def _verdict(self, account_sid: str) -> tuple[Verdict | None, str]:
        try:
            return self._api.gate(account_sid), "its answer came late"
        except GuardSilent as silent:
            return None, str(silent)
        except Exception as error:  # whatever it is, a create must not hang on this thread
            return None, type(error).__name__

    def _note_health(self, is_healthy: bool, problem: str) -> None:
        if not is_healthy:
            self._fall_silent(problem)
        elif self._silent:
            self._silent = False
            log.info("The guard answers again.")

    def _next_pause(self, is_healthy: bool, has_answered: bool, pause: float) -> float:
        me = threading.current_thread()
        if is_healthy or self._stopped.is_set() or self._prober not in (None, me):
            self._prober = None if self._prober is me else self._prober
            return 0.0
        self._prober = me
        # A slow guard is asked every second: its answers count, but no create waits for them.
        return _INITIAL_PAUSE if has_answered or not pause else min(2 * pause, _MAX_PAUSE)

    def _fall_silent(self, problem: str) -> None:
        if not self._silent and self._warning.due():
            log.warning("The guard does not answer (%s): until it does, `fail` decides about creates.", problem)
        self._silent = True
