"""Warns when calls are dialled but their callbacks have stopped: half of what the guard sees is missing."""

from callguard.config.accounts import Account
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.snapshot import Snapshot
from callguard.watch.needs import Notices

MISSING_MS = 300_000
MIN_DIALLED = 20
EVERY_SECONDS = 6 * 3600


class MissingCallbacks:
    """A task of the watch. Skips accounts that never had a callback: their calls may request none."""

    def __init__(self, account: Account, notices: Notices) -> None:
        """Keep the port."""
        self._account = account
        self._notices = notices
        self._called_back_ms = 0
        self._departed = 0
        self._told = False

    def __call__(self, snapshot: Snapshot) -> None:
        """Warn if callbacks have stopped.

        Raises:
            StoreUnavailable: a later tick tries again.
        """
        if snapshot.called_back_ms != self._called_back_ms or snapshot.departed < self._departed:
            self._called_back_ms, self._departed, self._told = snapshot.called_back_ms, snapshot.departed, False
        dialled, silent_ms = snapshot.departed - self._departed, snapshot.now_ms - self._called_back_ms
        if not self._called_back_ms or self._told or dialled < MIN_DIALLED or silent_ms < MISSING_MS:
            return
        text = (
            f"no callback has come for {silent_ms / 60_000:.0f} min, and Twilio has dialled {dialled:,} calls "
            "meanwhile. Rules over callbacks see none of them; Twilio's queue is still polled. If these calls set "
            "StatusCallback, see whether Twilio can reach it: `callguard check`, and Twilio's debugger"
        )
        notice = Notice(self._account.sid, NoticeKind.WARNING, text, snapshot.now_ms)
        self._notices.post(notice, once="callbacks", every_seconds=EVERY_SECONDS)
        self._told = True
