"""Lets an account's calls live in real time: wakes when the next thing is due, sleeps otherwise."""

import asyncio
from collections.abc import Callable

from callguard.simulator.account import Account

# Things due sooner are done together: 200 wake-ups a second at most, and dialling exact to 5 ms.
_MIN_NAP_SECONDS = 0.005


class DialClock:
    """A timer for the account's next event. Needs a running event loop once `arm` is called."""

    def __init__(self, clock: Callable[[], float], account: Account) -> None:
        self._clock = clock
        self._account = account
        self._timer: asyncio.TimerHandle | None = None
        self._wakes_at = float("inf")
        self._stopped = False

    def arm(self) -> None:
        """Make sure to wake when the next thing is due. Cheap when nothing is earlier than before."""
        due = self._account.next_due()
        if due is None or due >= self._wakes_at or self._stopped:
            return
        if self._timer is not None:
            self._timer.cancel()
        self._wakes_at = due
        delay = max(due - self._clock(), _MIN_NAP_SECONDS)
        self._timer = asyncio.get_running_loop().call_later(delay, self._wake)

    def stop(self) -> None:
        """Never wake again."""
        self._stopped = True
        if self._timer is not None:
            self._timer.cancel()

    def _wake(self) -> None:
        self._timer, self._wakes_at = None, float("inf")
        self._account.advance(self._clock())
        self.arm()
