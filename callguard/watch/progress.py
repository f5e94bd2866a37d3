"""Tells people how far a drain is while it lasts, and that it has ended, whichever process ended it."""

from collections.abc import Callable

from callguard.cancel.endings import tell_done
from callguard.config.accounts import Account
from callguard.domain.forecast import Forecast, forecast
from callguard.domain.incidents import Incident
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.snapshot import Snapshot, State
from callguard.watch.needs import IncidentStore, Notices

PROGRESS_SECONDS = 180
ASK_EVERY_MS = 10_000


class Progress:
    """A task of the watch."""

    def __init__(
        self,
        account: Account,
        incidents: IncidentStore,
        notices: Notices,
        cancelled_rate: Callable[[Snapshot], float],
    ) -> None:
        """`cancelled_rate` returns how many calls a second are being cancelled."""
        self._account = account
        self._incidents = incidents
        self._notices = notices
        self._cancelled_rate = cancelled_rate
        self._asked_ms = 0
        self._done: int | None = None

    def __call__(self, snapshot: Snapshot) -> None:
        """Tell what is due.

        Raises:
            StoreUnavailable: a later tick tries again.
        """
        if snapshot.paused or snapshot.unqueued:  # an incident without a queue has its own reminders
            return
        if snapshot.state in (State.TRIPPED, State.DRAINING):
            self._tell_progress(snapshot)
        elif snapshot.state is State.COOLING and not snapshot.capped and self._done != snapshot.generation:
            incident = self._incidents.current(self._account.sid)
            if incident is not None:
                tell_done(self._notices, incident, snapshot.now_ms, snapshot.left_alone - snapshot.protected)
            self._done = snapshot.generation

    def _tell_progress(self, snapshot: Snapshot) -> None:
        lasts_ms = snapshot.now_ms - snapshot.tripped_ms
        if lasts_ms < PROGRESS_SECONDS * 1000 or 0 <= snapshot.now_ms - self._asked_ms < ASK_EVERY_MS:
            return
        self._asked_ms = snapshot.now_ms
        incident = self._incidents.current(self._account.sid)
        if incident is None:
            return
        rate = self._cancelled_rate(snapshot)
        text = progress_text(incident, lasts_ms / 1000, rate, forecast(snapshot, self._account.policy, rate))
        notice = Notice(self._account.sid, NoticeKind.PROGRESS, text, snapshot.now_ms)
        self._notices.post(notice, once=f"progress:{snapshot.generation}", every_seconds=PROGRESS_SECONDS)


def progress_text(incident: Incident, lasts_seconds: float, rate: float, will_ring: Forecast) -> str:
    """Return how far a drain is, what will come of it, and what a person may do."""
    minutes = f"{lasts_seconds / 60:.0f} min"
    stands_still = incident.remaining and not rate
    head = (
        f"the drain has lasted {minutes} and stands still" if stands_still else f"still cancelling after {minutes}"
    )
    what_now = (
        "The guard keeps trying. `callguard status` says what is in the way: workers, credentials, or Twilio"
        if stands_still
        else "The guard goes on by itself. Look: `callguard status`; stop all cancelling: `callguard pause`"
    )
    return (
        f"{head}: {incident.tally.summary()}; {rate:,.1f} cancelled a second. Of those queued now "
        f"{will_ring.words}. {what_now}. Stop the program that creates the calls"
    )
