"""The accounts that this watcher looks after, and when it looks at each."""

import heapq
from collections.abc import Callable, Collection, Sequence

from callguard.watch.needs import AccountLeases

HOLD_EVERY_SECONDS = 0.75


class OwnAccounts:
    """Holds leases, and gives back what others should have: it stops looking at an account before it says so.

    Attributes:
        sids: the accounts that are ours now.
    """

    def __init__(
        self, owner: str, sids: Collection[str], leases: AccountLeases, monotonic: Callable[[], float]
    ) -> None:
        """`owner` tells this watcher from the others; `monotonic` gives seconds."""
        self.sids: frozenset[str] = frozenset()
        self._owner = owner
        self._all: Sequence[str] = sorted(sids)
        self._leases = leases
        self._monotonic = monotonic
        self._giving_back: list[str] = []
        self._held_at = float("-inf")

    def renew(self, is_busy: Callable[[str], bool]) -> bool:
        """Renew the leases if it is time, and return whether they may have changed.

        An account for which `is_busy` holds is not given back yet.

        Raises:
            StoreUnavailable: no other watcher can have taken an account; a later call tries again.
        """
        now = self._monotonic()
        if now - self._held_at < HOLD_EVERY_SECONDS:
            return False
        held = self._leases.hold(self._owner, self._all, [sid for sid in self._giving_back if not is_busy(sid)])
        self._held_at = now
        kept = [sid for sid in self._giving_back if sid in held.accounts]
        self._giving_back = kept or sorted(held.accounts)[len(held.accounts) - held.surplus :]
        self.sids = held.accounts - frozenset(self._giving_back)
        return True

    def give_up(self) -> None:
        """Let others have them at once.

        Raises:
            StoreUnavailable: the leases end by themselves.
        """
        self._leases.give_up(self._owner)


class Agenda:
    """Due times (seconds of a monotonic clock) by account. An account has one: the earliest that it was given."""

    def __init__(self) -> None:
        """Nothing is due."""
        self._due: dict[str, float] = {}
        self._heap: list[tuple[float, str]] = []

    def put(self, account_sid: str, at: float) -> None:
        """Let an account be due at a time, unless it is due before."""
        if at < self._due.get(account_sid, float("inf")):
            self._due[account_sid] = at
            heapq.heappush(self._heap, (at, account_sid))

    def take(self, now: float) -> list[str]:
        """Take out what is due by now, and return it, the most overdue first."""
        taken = []
        while self._heap and self._heap[0][0] <= now:
            at, account_sid = heapq.heappop(self._heap)
            if self._due.get(account_sid) == at:  # else it was given an earlier time, or dropped
                del self._due[account_sid]
                taken.append(account_sid)
        return taken

    def drop(self, account_sid: str) -> None:
        """Let an account be due no more."""
        self._due.pop(account_sid, None)
