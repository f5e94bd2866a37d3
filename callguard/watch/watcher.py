"""The watcher: looks at each of its accounts when something is due there."""

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from queue import Empty, SimpleQueue
from typing import Protocol

from callguard.clock import Clock
from callguard.domain.snapshot import Snapshot
from callguard.errors import CallGuardError
from callguard.watch.long_turns import LongTurns
from callguard.watch.needs import AccountLeases, Heartbeats
from callguard.watch.own_accounts import Agenda, OwnAccounts

_log = logging.getLogger(__name__)

TICK_SECONDS = 0.25
BEAT_SECONDS = 1.0
APART_SECONDS = 0.05
"""Seconds between the first polls of two accounts; less only if there are many."""

MAX_THREADS = 64
PROCESS = "watcher"


class Watch(Protocol):
    """The watch over one account."""

    def tick(self, snapshot: Snapshot) -> float:
        """Do what is due at a snapshot; return in how many seconds to look again. May raise `CallGuardError`."""

    def begin(self, share: float, delay: float) -> None:
        """Begin to watch: the first poll is due after `share` of what is between polls, or `delay` seconds."""


class FreshNews(Protocol):
    """Accounts of which there is news. May raise `StoreUnavailable`."""

    def fresh(self) -> Sequence[str]:
        """Return the accounts with news since the last call."""


class Snapshots(Protocol):
    """The accounts as they are stored. May raise `StoreUnavailable`."""

    def snapshots(self, account_sids: Sequence[str], now_ms: int) -> list[Snapshot]:
        """Return a snapshot of each."""


class Watcher:
    """Watches the accounts that it holds; several may run, and share them.

    A slow answer for one account does not hold up the others, and an account is never watched twice at once.
    """

    def __init__(
        self,
        owner: str,
        watches: Mapping[str, Watch],
        leases: AccountLeases,
        snapshots: Snapshots,
        news: FreshNews,
        heartbeats: Heartbeats,
        clock: Clock,
        long_turns: LongTurns,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        follow: Callable[[Sequence[str]], None] = lambda _sids: None,
    ) -> None:
        """Keep the parts. `owner` tells this watcher from others; `follow` is called for others' accounts."""
        self._watches = watches
        self._own = OwnAccounts(owner, watches.keys(), leases, monotonic)
        self._snapshots = snapshots
        self._news = news
        self._long_turns = long_turns
        self._heartbeats = heartbeats
        self._clock = clock
        self._monotonic = monotonic
        self._follow = follow
        self._agenda = Agenda()
        self._watched: frozenset[str] = frozenset()
        self._under_way: dict[str, Future[float]] = {}
        self._ended: SimpleQueue[tuple[str, float]] = SimpleQueue()
        self._beat_at = float("-inf")
        self._told = False

    def run(self, should_stop: Callable[[], bool]) -> None:
        """Watch until `should_stop`; errors of Redis or Twilio are logged and outlived."""
        with ThreadPoolExecutor(MAX_THREADS, thread_name_prefix="watch") as pool:
            while not should_stop():
                started = time.monotonic()
                self.turn(pool)
                time.sleep(max(0.0, TICK_SECONDS - (time.monotonic() - started)))
        self._step_down()

    def turn(self, pool: ThreadPoolExecutor) -> None:
        """Start the looks that are due; they go on in the pool."""
        try:
            self._beat()
            self._share()
            self._plan()
            self._look(pool)
            self._long_turns.look()
        except CallGuardError as error:
            self._tell_once(error)
            return
        if self._told:
            _log.warning("watcher: Redis answers again")
            self._told = False

    def _beat(self) -> None:
        now = self._monotonic()
        if now - self._beat_at >= BEAT_SECONDS:
            self._heartbeats.beat(PROCESS, self._clock.now_ms())
            self._beat_at = now

    def _share(self) -> None:
        if not self._own.renew(self._under_way.__contains__):
            return
        ours, before = self._own.sids, self._watched
        self._watched = ours
        for sid in before - ours:
            self._agenda.drop(sid)
        taken = sorted(ours - before)
        for place, sid in enumerate(taken):
            self._watches[sid].begin(place / len(taken), place * APART_SECONDS)
            self._agenda.put(sid, self._monotonic())
        if ours != before:
            _log.info("watcher: %d of %d accounts are ours", len(ours), len(self._watches))
        if others := [sid for sid in self._watches if sid not in ours]:
            self._follow(others)

    def _plan(self) -> None:
        """Note when accounts are due again whose look has ended, and those with news."""
        now = self._monotonic()
        while True:
            try:
                sid, seconds = self._ended.get_nowait()
            except Empty:
                break
            del self._under_way[sid]
            if sid in self._watched:
                self._agenda.put(sid, now + seconds)
        for sid in self._news.fresh():
            if sid in self._watched:
                self._agenda.put(sid, now)

    def _look(self, pool: ThreadPoolExecutor) -> None:
        due = self._agenda.take(self._monotonic())
        for sid in due:
            # Due again in any case, should anything fail or the look not end.
            self._agenda.put(sid, self._monotonic() + TICK_SECONDS)
        free = [sid for sid in due if sid not in self._under_way]
        for sid, snapshot in zip(free, self._snapshots.snapshots(free, self._clock.now_ms()), strict=True):
            self._agenda.drop(sid)
            look = self._long_turns.timed(sid, partial(self._watches[sid].tick, snapshot))
            self._under_way[sid] = pool.submit(_outlived, sid, look)
            self._under_way[sid].add_done_callback(partial(self._note_end, sid))

    def _note_end(self, sid: str, look: "Future[float]") -> None:
        self._ended.put((sid, look.result()))

    def _tell_once(self, error: CallGuardError) -> None:
        """Log it once: four turns a second are no reason for four lines a second."""
        if not self._told:
            _log.warning("watcher: %s; trying again", error)
        self._told = True

    def _step_down(self) -> None:
        try:
            self._own.give_up()
        except CallGuardError as error:
            _log.info("watcher: other watchers take its accounts within seconds: %s", error)


def _outlived(sid: str, look: Callable[[], float]) -> float:
    try:
        return look()
    except CallGuardError as error:
        _log.warning("account %s: %s", sid, error)
    except Exception:
        # A bug in one look must not end the watch; the next one starts afresh.
        _log.exception("account %s: the watch failed", sid)
    return TICK_SECONDS
