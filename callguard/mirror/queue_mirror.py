"""The mirror of the queue during one look at Twilio's list."""

from collections.abc import Sequence

from callguard.config.accounts import Account
from callguard.domain.calls import SETTLING_MS, ListedCall, MirroredCall
from callguard.domain.snapshot import Snapshot
from callguard.mirror.list_pass import ListPass
from callguard.mirror.needs import CallTracker

ORDER_MS = 2_000
"""Calls created within so many milliseconds may be in the wrong order: Twilio gives whole seconds."""


class QueueMirror:
    """Compares lists with the mirror of one account.

    Attributes:
        account: whose mirror it is.
        whole_ms: when the list was last read whole by this process; 0 for never.
        believes_quotes: False once calls stay queued beyond Twilio's `queue_time`.
        empty: the account as a whole walk found it, where the mirror and the list were both empty; else None.
    """

    def __init__(self, account: Account, tracker: CallTracker) -> None:
        """Nothing is read yet."""
        self.account = account
        self.whole_ms = 0
        self.believes_quotes = True
        self.empty: Snapshot | None = None
        self._tracker = tracker
        self._known: dict[str, MirroredCall] = {}
        self._taken: set[str] = set()
        self._listed_before: set[str] = set()

    def begin(self) -> None:
        """Begin a look."""
        self.empty = None
        self._known = {}
        self._taken = set()

    def news_in(self, calls: Sequence[tuple[int, ListedCall]]) -> list[tuple[int, ListedCall]]:
        """Return the calls of a page that neither the mirror nor an earlier page of this look had."""
        wanted = [call.call_sid for _, call in calls if call.call_sid not in self._taken]
        self._known |= self._tracker.mirrored_among(self.account.sid, wanted)
        news = [(at, c) for at, c in calls if c.call_sid not in self._known and c.call_sid not in self._taken]
        self._taken.update(call.call_sid for _, call in news)
        return news

    def is_known(self, call: ListedCall) -> bool:
        """Return whether the mirror had a call of a page of this look."""
        return call.call_sid in self._known

    def retire(self, walk: ListPass) -> int:
        """Remove from the mirror what a whole walk did not show; return how many calls were removed.

        The dialler takes the oldest first. So a call that has left while older ones still wait was cancelled.
        """
        if not walk.listed:  # the mirror is then nearly always empty too, which is cheap to find out
            found = self._tracker.snapshot(self.account.sid, walk.started_ms)
            if not found.mirrored:
                self.empty = found
                return 0
        left = {
            sid: call.created_ms
            for sid, call in self._tracker.mirrored(self.account.sid).items()
            if sid not in walk.listed
            and sid not in self._taken
            and (sid in self._listed_before or call.created_ms < walk.started_ms - SETTLING_MS)
        }
        oldest_ms = walk.oldest[0] if walk.oldest else walk.started_ms
        cancelled = {sid for sid, created_ms in left.items() if created_ms > oldest_ms + ORDER_MS}
        dialled = [sid for sid in left if sid not in cancelled]
        retired = self._tracker.retire(self.account.sid, dialled) if dialled else 0
        if cancelled:
            retired += self._tracker.retire(self.account.sid, list(cancelled), were_dialled=False)
        return retired

    def was_read_whole(self, walk: ListPass, now_ms: int, *, believe: bool) -> None:
        """Remember what a whole walk showed. An empty list proves nothing about quotes."""
        self._listed_before = walk.listed
        self.whole_ms = now_ms
        if walk.listed:
            self.believes_quotes = believe

    def protect_as_wanted(self, calls: Sequence[tuple[int, ListedCall]]) -> None:
        """Correct the protection of calls that were mirrored under another `never_cancel`."""
        for wanted in (True, False):
            wrong = [
                (call.call_sid, self.account.hasher.sender(call.from_number))
                for _, call in calls
                if self._is_wrong(call, wanted)
            ]
            if wrong:
                self._tracker.protect(self.account.sid, wrong, protected=wanted)

    def _is_wrong(self, call: ListedCall, wanted: bool) -> bool:
        mirrored = self._known.get(call.call_sid)
        if mirrored is None or mirrored.announced or mirrored.out_of_scope or mirrored.protected is wanted:
            return False
        return self.account.hasher.is_protected(call.from_number, call.to_number) is wanted
