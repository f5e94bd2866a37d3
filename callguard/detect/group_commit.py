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
class _Batch:
    events: list[CallEvent] = field(default_factory=list)
    # Held until the group is counted; an event does the same, at several times the cost under gevent. It is made
    # when a second callback joins: most groups have one callback, which needs no lock.
    under_way: "threading.Lock | None" = None
    error: BaseException | None = None


@dataclass(slots=True)
class _AccountBatch:
    """The callbacks of one account: the group that may still be joined, and the lock of the present turn."""

    turn: threading.Lock = field(default_factory=threading.Lock)
    open_batch: _Batch = field(default_factory=_Batch)


class GroupCommit:
    """Hands callbacks to `take` in groups, one group of an account at a time; safe in threads and greenlets."""

    def __init__(self, take: Take) -> None:
        """Keep `take(account, events)`, which counts events that are in order of time."""
        self._take = take
        self._mutex = threading.Lock()
        self._accounts: defaultdict[str, _AccountBatch] = defaultdict(_AccountBatch)

    def take(self, account: Account, event: CallEvent) -> None:
        """Return once the event is counted.

        Raises:
            StoreUnavailable: it is unknown whether the group was counted; each caller may give its event again.
        """
        with self._mutex:
            of_account = self._accounts[account.sid]
            batch = of_account.open_batch
            batch.events.append(event)
            if len(batch.events) > 1 and batch.under_way is None:
                batch.under_way = threading.Lock()
                batch.under_way.acquire()
            under_way = batch.under_way
        if under_way is None:
            self._lead(account, of_account, batch)
            return
        with under_way:
            pass
        if batch.error is not None:
            raise batch.error

    def _lead(self, account: Account, of_account: _AccountBatch, batch: _Batch) -> None:
        try:
            with of_account.turn:
                time.sleep(0)
                with self._mutex:
                    of_account.open_batch = _Batch()
                batch.events.sort(key=lambda event: event.at_ms)
                self._take(account, batch.events)
        except BaseException as error:
            # Also when this request is cut short: nobody may wait for ever for a leader that is gone.
            batch.error = error
            raise
        finally:
            with self._mutex:
                if of_account.open_batch is batch:
                    of_account.open_batch = _Batch()
                under_way = batch.under_way
            if under_way is not None:
                under_way.release()
