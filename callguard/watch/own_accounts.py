"""The accounts that this watcher looks after, of all that are configured."""

from collections.abc import Callable, Collection, Sequence

from callguard.watch.needs import AccountLeases

HOLD_EVERY_SECONDS = 0.75


class OwnAccounts:
    """Holds leases, and gives back what other watchers should have: first it lets go, then it says so.

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
        """Renew the leases if it is time, and return whether they may be others now.

        An account for which `is_busy` holds is not given back yet.

        Raises:
            StoreUnavailable: nobody else can have taken anything; a later call takes it up.
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
