"""The watcher: looks after every account, a few times a second."""

import logging
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor

from callguard.config.accounts import Account
from callguard.ports import CallGuardError, Clock, Heartbeats, Leadership
from callguard.watch.account_watch import AccountWatch
from callguard.watch.long_turns import LongTurns

_log = logging.getLogger(__name__)

TICK_SECONDS = 0.25
MOST_THREADS = 16
PROCESS = "watcher"


class Watcher:
    """Runs the watch of every account while it leads; several may run, one acts.

    A slow answer for one account does not hold up the others, and an account is never watched twice at once.
    """

    def __init__(
        self,
        owner: str,
        accounts: Sequence[Account],
        watch_of: Callable[[Account], AccountWatch],
        leadership: Leadership,
        heartbeats: Heartbeats,
        clock: Clock,
        long_turns: LongTurns,
        follow: Callable[[], None] = lambda: None,
    ) -> None:
        """Keep what is needed; `owner` tells it from the others. It does `follow` while another leads."""
        self._owner = owner
        watches = [watch_of(account) for account in accounts]
        self._turns = {
            f"account {watch.account.sid}": long_turns.timed(watch.account.sid, watch.tick) for watch in watches
        }
        self._long_turns = long_turns
        self._follow = follow
        self._leadership = leadership
        self._heartbeats = heartbeats
        self._clock = clock
        self._under_way: dict[str, Future[None]] = {}
        self._told = False

    def run(self, should_stop: Callable[[], bool]) -> None:
        """Watch until `should_stop`; errors of Redis or Twilio are logged and outlived."""
        with ThreadPoolExecutor(MOST_THREADS, thread_name_prefix="watch") as pool:
            while not should_stop():
                started = time.monotonic()
                self._turn(pool)
                time.sleep(max(0.0, TICK_SECONDS - (time.monotonic() - started)))
        self._step_down()

    def _turn(self, pool: ThreadPoolExecutor) -> None:
        try:
            self._heartbeats.beat(PROCESS, self._clock.now_ms())
            if not self._leadership.lead(self._owner):
                self._follow()
                return
        except CallGuardError as error:
            self._tell_once(error)
            return
        if self._told:
            _log.warning("watcher: Redis answers again")
            self._told = False
        self._long_turns.look()
        for name, turn in self._turns.items():
            under_way = self._under_way.get(name)
            if under_way is None or under_way.done():
                self._under_way[name] = pool.submit(_outlived, name, turn)

    def _tell_once(self, error: CallGuardError) -> None:
        """Four turns a second are no reason for four lines a second."""
        if not self._told:
            _log.warning("watcher: %s; trying again", error)
        self._told = True

    def _step_down(self) -> None:
        try:
            self._leadership.step_down(self._owner)
        except CallGuardError as error:
            _log.info("watcher: the lead ends by itself: %s", error)


def _outlived(name: str, turn: Callable[[], None]) -> None:
    try:
        turn()
    except CallGuardError as error:
        _log.warning("%s: %s", name, error)
    except Exception:
        # A bug in one turn must not end the watch; the next turn starts afresh.
        _log.exception("%s: the watch failed", name)
