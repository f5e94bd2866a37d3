"""Twilio's own list of queued calls, for a drain that has emptied the mirror."""

import asyncio
import logging
import time
from collections.abc import Callable

from callguard.cancel.until_empty import in_thread
from callguard.config.accounts import Account
from callguard.errors import StoreUnavailable, TwilioRefused, TwilioThrottled, TwilioUnavailable
from callguard.mirror.reconcile import NOT_TAKEN, QueueReading, Reconciler

_log = logging.getLogger(__name__)

PAUSE_SECONDS = 0.5
"""Seconds between two lists: a script that keeps creating calls must not make us list in a hot loop."""

PAUSE_FOR_TURN_SECONDS = 0.05
LOOK_SECONDS = 0.05


class QueueListing:
    """Reads the list in a thread, as a long page takes seconds; the sweep takes each page's calls meanwhile."""

    def __init__(self, account: Account, reconciler: Reconciler, may_read_on: Callable[[], bool]) -> None:
        """Keep the parts. `may_read_on` is asked between pages; False: there is work to sweep, or no time left."""
        self._account = account
        self._reconciler = reconciler
        self._may_read_on = may_read_on
        self._under_way: asyncio.Future[bool] | None = None
        self._began = float("-inf")

    async def is_empty(self) -> bool:
        """Read the list into the mirror; True if it was read to its end and there is nothing to sweep.

        Returns as soon as there is something to sweep; the thread then ends with the page that it reads.
        """
        if self._under_way is None:
            now = asyncio.get_running_loop().time
            await asyncio.sleep(max(0.0, self._began + PAUSE_SECONDS - now()))
            self._began = now()
            self._under_way = in_thread(self._was_read_whole)
        while not self._under_way.done() and self._may_read_on():
            await asyncio.wait({self._under_way}, timeout=LOOK_SECONDS)
        if not self._under_way.done():
            return False
        was_whole, self._under_way = self._under_way.result(), None
        return was_whole and self._may_read_on()

    def _was_read_whole(self) -> bool:
        try:
            return self._reading().complete
        except (TwilioUnavailable, TwilioThrottled, TwilioRefused, StoreUnavailable) as error:
            _log.info("account %s: the list will be read again: %s", self._account.sid, error)
        except Exception:  # a bug must not let the drain wait for its whole turn
            _log.exception("account %s: the list could not be read", self._account.sid)
        return False

    def _reading(self) -> QueueReading:
        """Read the list once the watcher is not reading it. The calls that the watcher finds are swept first."""
        while self._may_read_on():
            reading = self._reconciler.read_queue(self._account, retire=True, go_on=self._may_read_on)
            if reading.taken:
                return reading
            time.sleep(PAUSE_FOR_TURN_SECONDS)
        return NOT_TAKEN
