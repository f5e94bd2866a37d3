"""Ends pauses whose time is over, and reminds people of decisions in doubt until a person decides."""

import logging

from callguard.config.accounts import Account
from callguard.domain.decisions import StateLost
from callguard.domain.holds import moment
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.snapshot import Snapshot
from callguard.errors import StoreUnavailable
from callguard.watch.needs import IncidentStore, Notices

_log = logging.getLogger(__name__)

WARN_MS = 5 * 60_000
"""Milliseconds before a pause's end when people are reminded; half way, if it is shorter than twice that."""

REMIND_SECONDS = 3600


class HoldsTask:
    """A task of the watch: only it ends a pause whose time is over, and it tells people before.

    Without a watcher such a pause lasts: nothing is cancelled while nobody watches.
    """

    def __init__(self, account: Account, incidents: IncidentStore, notices: Notices) -> None:
        """Keep the ports."""
        self._account = account
        self._incidents = incidents
        self._notices = notices

    def __call__(self, snapshot: Snapshot) -> None:
        """Do what is due.

        Raises:
            StoreUnavailable: a later tick tries again.
        """
        if snapshot.lost_ms:
            text = (
                "Redis has lost what people had decided, and nobody remembers it: the guard only observes. "
                "`callguard resume` lets it act again, `callguard pause` keeps it from acting"
            )
            once = f"state-lost:{snapshot.lost_ms}"
            self._notices.post(
                self._notice(NoticeKind.STATE_LOST, text, snapshot), once=once, every_seconds=REMIND_SECONDS
            )
        if snapshot.paused and snapshot.pause.until_ms:
            self._end_pause(snapshot)

    def _end_pause(self, snapshot: Snapshot) -> None:
        pause, now_ms = snapshot.pause, snapshot.now_ms
        told = f" ({pause.told})" if pause.told else ""
        warn_ms = min(WARN_MS, (pause.until_ms - pause.since_ms) / 2)
        if now_ms >= pause.until_ms:
            # Tell first: if we die in between, the next tick tells it once more, and the outbox drops the repeat.
            text = f"the pause since {moment(pause.since_ms)}{told} is over: the guard acts again"
            self._notices.post(
                self._notice(NoticeKind.RESUMED, text, snapshot), once=f"pause-ended:{pause.since_ms}"
            )
            self._incidents.resume(
                self._account.sid, now_ms, by="the watcher", reason="its time was over", since_ms=pause.since_ms
            )
        elif now_ms >= pause.until_ms - warn_ms:
            text = (
                f"the pause{told} ends at {moment(pause.until_ms)}: then the guard trips and cancels again. "
                "`callguard pause --for 1h` makes it longer"
            )
            self._notices.post(
                self._notice(NoticeKind.PAUSED, text, snapshot), once=f"pause-ends:{pause.since_ms}"
            )

    def _notice(self, kind: NoticeKind, text: str, snapshot: Snapshot) -> Notice:
        return Notice(self._account.sid, kind, text, snapshot.now_ms)


def tell_of_loss(notices: Notices, lost: StateLost) -> None:
    """Tell people that the store has lost decisions, and what holds now."""
    what = "was emptied, or is another one" if lost.was_emptied else "fell back and lacks the latest decisions"
    if lost.is_unknown:
        text = (
            f"Redis {what}. What people had decided is not known ({lost.doubt}): the guard only observes. "
            "`callguard resume` lets it act again, `callguard pause` keeps it from acting"
        )
    else:
        text = (
            f"Redis {what}. What people had decided was remembered and holds again: {lost.restored}. "
            "Nothing was tripped or cancelled meanwhile. Incidents and counters are only what Redis has"
        )
    _log.error("account %s: %s", lost.account_sid, text)
    try:
        notice = Notice(lost.account_sid, NoticeKind.STATE_LOST, text, lost.at_ms)
        once = f"state-lost:{lost.at_ms}" if lost.is_unknown else ""
        notices.post(notice, once=once, every_seconds=REMIND_SECONDS if once else 0)
    except StoreUnavailable as error:
        _log.error("account %s: nobody could be told of the loss: %s", lost.account_sid, error)
