"""An incident without a queue: reminds people while it lasts, and knows when it is over."""

from collections.abc import Callable

from callguard.config.accounts import Account
from callguard.detect.guard import Guard
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.rules import crossed
from callguard.domain.snapshot import Snapshot
from callguard.domain.unqueued import RECENT, everyday
from callguard.watch.needs import IncidentStore, Notices

LOOK_SECONDS = 60.0
EVERYDAY_SECONDS = 24 * 3600


class UnqueuedIncident:
    """The watch over one account while its open incident has no queue. `monotonic` gives seconds."""

    def __init__(
        self,
        account: Account,
        guard: Guard,
        incidents: IncidentStore,
        notices: Notices,
        monotonic: Callable[[], float],
    ) -> None:
        """Keep the ports."""
        self._account = account
        self._guard = guard
        self._incidents = incidents
        self._notices = notices
        self._monotonic = monotonic
        self._generation = 0
        self._crossed_at = 0.0
        self._looked_at = 0.0
        self._looked_over = 0

    def is_over(self, snapshot: Snapshot) -> bool:
        """Return whether no rule has been crossed for `quiet_seconds`; remind people while one is.

        Raises:
            StoreUnavailable: a later tick tries again.
        """
        now, policy = self._monotonic(), self._account.policy
        is_crossed = crossed(snapshot, policy) is not None
        if is_crossed or self._generation != snapshot.generation:
            self._crossed_at = now
        if self._generation != snapshot.generation:
            self._generation, self._looked_at = snapshot.generation, now  # the trip itself has just been told
        if now - self._looked_at >= LOOK_SECONDS:
            self._looked_at = now
            self._remind(snapshot, is_crossed)
        is_over = now - self._crossed_at >= policy.quiet_seconds
        if is_over and self._looked_over != snapshot.generation:  # a short one had no minute to be looked at
            self._looked_over = snapshot.generation
            self._remind(snapshot, is_crossed)
        return is_over

    def _remind(self, snapshot: Snapshot, is_crossed: bool) -> None:
        incident, now_ms = self._incidents.current(self._account.sid), snapshot.now_ms
        if incident is None or not incident.unqueued:
            return
        if is_crossed:
            self._guard.remind_of_unqueued(self._account, incident, now_ms)
        if found := everyday(
            [incident, *self._incidents.recent(self._account.sid, RECENT)], self._account.policy, now_ms
        ):
            notice = Notice(self._account.sid, NoticeKind.WARNING, f"this account is {found.words}", now_ms)
            self._notices.post(notice, once="everyday", every_seconds=EVERYDAY_SECONDS)
