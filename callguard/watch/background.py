"""Slow tasks, which run beside the watch so that they delay no poll."""

import logging
from collections.abc import Callable
from threading import Thread
from typing import Protocol

from callguard.domain.snapshot import Snapshot
from callguard.errors import CallGuardError

_log = logging.getLogger(__name__)


class Task(Protocol):
    """Something that asks Twilio and may have to wait for the answer."""

    @property
    def every_seconds(self) -> float:
        """The least number of seconds between two runs."""

    def wants(self, snapshot: Snapshot) -> bool:
        """Return whether there is anything to do. Called at every tick, so it must not ask Redis or Twilio."""

    def __call__(self, snapshot: Snapshot) -> None:
        """Do it."""


class BackgroundTask:
    """A task of the watch that runs another one in a thread of its own, never twice at once."""

    def __init__(self, name: str, task: Task, monotonic: Callable[[], float]) -> None:
        """`monotonic` gives seconds for intervals; `name` is for the log."""
        self._name = name
        self._chore = task
        self._monotonic = monotonic
        self._began_at = float("-inf")
        self._thread: Thread | None = None

    def __call__(self, snapshot: Snapshot) -> None:
        """Begin it if it is due, and do not wait for its end."""
        if self._thread is not None and self._thread.is_alive():
            return
        if self._monotonic() - self._began_at < self._chore.every_seconds or not self._chore.wants(snapshot):
            return
        self._began_at = self._monotonic()
        # A watcher that is told to end does not wait for Twilio: work that is cut short is done again later.
        self._thread = Thread(target=self._run, args=(snapshot,), name=self._name, daemon=True)
        self._thread.start()

    def _run(self, snapshot: Snapshot) -> None:
        try:
            self._chore(snapshot)
        except CallGuardError as error:
            _log.warning("%s: %s", self._name, error)
        except Exception:
            # A bug in a task must not end it for ever; the next time it starts afresh.
            _log.exception("%s: it failed", self._name)
