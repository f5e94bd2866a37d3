"""A task that a process does beside its own work, again and again, in a thread that nobody waits for."""

import logging
import threading
from collections.abc import Callable

from callguard.errors import CallGuardError

_log = logging.getLogger(__name__)

EVERY_SECONDS = 1.0


class Repeated:
    """Runs a task about once a second until it is stopped. An error is logged once for each outage."""

    def __init__(self, name: str, task: Callable[[], None], every_seconds: float = EVERY_SECONDS) -> None:
        """`name` is for the log."""
        self._name = name
        self._task = task
        self._every_seconds = every_seconds
        self._stopped = threading.Event()
        self._told = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Begin. A process that forks must begin in the child, as threads do not survive a fork."""
        self._thread.start()

    def stop(self, patience_seconds: float = 0.0) -> None:
        """Begin no other round, and wait for the one that is under way, but not for longer than that."""
        self._stopped.set()
        self._thread.join(patience_seconds)

    def _run(self) -> None:
        while not self._stopped.is_set():
            self._once()
            self._stopped.wait(self._every_seconds)

    def _once(self) -> None:
        try:
            self._task()
            self._told = False
        except CallGuardError as error:
            if not self._told:
                _log.warning("%s: %s; trying again", self._name, error)
            self._told = True
        except Exception:
            # A bug in one round must not stop the next.
            if not self._told:
                _log.exception("%s failed; trying again", self._name)
            self._told = True
