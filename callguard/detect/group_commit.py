"""Counts callbacks that arrive together in one script call.

A trip to Redis costs as much as all the rest of a callback. So while one is under way for an account, the
callbacks that arrive wait and go together with the next one: group commit, as databases do with their log. With
nothing under way a callback does not wait, except for other callbacks that are ready at this moment.
"""

import threading
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent

Take = Callable[[Account, Sequence[CallEvent]], int]


@dataclass(slots=True)
class _Group:
    events: list[CallEvent] = field(default_factory=list)
    # Held until the group is counted; an event does the same, at several times the cost under gevent. It is made
    # when a second callback joins: most groups have one callback, which needs no lock.
    under_way: "threading.Lock | None" = None
    error: BaseException | None = None


@dataclass(slots=True)
class _AccountBatch:
    """The callbacks of one account: the group that may still be joined, and the lock of the present turn."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    open_batch: _Group = field(default_factory=_Group)


class GroupCommit:
    """Hands callbacks to `take` in groups, one group of an account at a time; safe in threads and greenlets."""

    def __init__(self, take: Take) -> None:
        """Keep `take(account, events)`, which counts events that are in order of time."""
        self._take = take
        self._mutex = threading.Lock()
        self._lines: defaultdict[str, _AccountBatch] = defaultdict(_AccountBatch)

    def take(self, account: Account, event: CallEvent) -> None:
        """Return once the event is counted.

        Raises:
            StoreUnavailable: it is unknown whether the group was counted; each caller may give its event again.
        """
        with self._mutex:
            line = self._lines[account.sid]
            group = line.open_batch
            group.events.append(event)
            if len(group.events) > 1 and group.under_way is None:
                group.under_way = threading.Lock()
                group.under_way.acquire()
            under_way = group.under_way
        if under_way is None:
            self._lead(account, line, group)
            return
        with under_way:
            pass
        if group.error is not None:
            raise group.error

    def _lead(self, account: Account, line: _AccountBatch, group: _Group) -> None:
        try:
            with line.turn:
                time.sleep(0)
                with self._mutex:
                    line.open_batch = _Group()
                group.events.sort(key=lambda event: event.at_ms)
                self._take(account, group.events)
        except BaseException as error:
            # Also when this request is cut short: nobody may wait for ever for a leader that is gone.
            group.error = error
            raise
        finally:
            with self._mutex:
                if line.open_batch is group:
                    line.open_batch = _Group()
                under_way = group.under_way
            if under_way is not None:
                under_way.release()
