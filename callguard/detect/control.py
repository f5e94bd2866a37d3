"""A person's commands to the guard: carried out, remembered, and told to others."""

import logging
from collections.abc import Callable
from contextlib import suppress

from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.detect.needs import IncidentStore, Memory, Notices
from callguard.domain.holds import moment
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.snapshot import Snapshot, Word
from callguard.errors import StoreUnavailable

_log = logging.getLogger(__name__)


class GuardControl:
    """Pauses, resumes, resets and continues, in the name of a person.

    Every method may raise `StoreUnavailable`: then it is not known whether it was done, and it may be repeated. A
    notice tells people and the guard's log of each command. A failed notice, or a failed write to the disk, does
    not stop the command.
    """

    def __init__(
        self,
        incidents: IncidentStore,
        notices: Notices,
        memory: Memory,
        clock: Clock,
        tell_watcher: Callable[[str], None] = lambda _sid: None,
    ) -> None:
        """Keep the ports; `tell_watcher` asks the watcher to look at an account soon."""
        self._tell_watcher = tell_watcher
        self._incidents = incidents
        self._notices = notices
        self._memory = memory
        self._clock = clock

    def pause(self, account: Account, word: Word) -> bool:
        """Stop all tripping and cancelling, until `word.until_ms` if it is given; return whether a file has it."""
        self._incidents.pause(account.sid, word.reason, self._clock.now_ms(), by=word.by, until_ms=word.until_ms)
        until = f" until {moment(word.until_ms)}" if word.until_ms else ""
        text = f"paused{until}{_told(word)}. Nothing trips and nothing is cancelled"
        return self._done(account, NoticeKind.PAUSED, text)

    def resume(self, account: Account, word: Word, snapshot: Snapshot) -> bool:
        """Undo a pause, or end a doubt of what was decided; return whether the guard was held back."""
        was_held = self._incidents.resume(account.sid, self._clock.now_ms(), by=word.by, reason=word.reason)
        if was_held:
            goes_on = f"; its open incident goes on, {snapshot.depth:,} calls are queued"
            text = f"resumed{_told(word)}{goes_on if snapshot.state.has_open_incident else ''}"
            self._done(account, NoticeKind.RESUMED, text)
        return was_held

    def reset(self, account: Account, word: Word, snapshot: Snapshot) -> bool:
        """Close the incident of the snapshot; return whether it was still the open one."""
        done = self._incidents.rearm(
            account.sid, snapshot.generation, word.reason, self._clock.now_ms(), force=True, by=word.by
        )
        if done:
            left = f"{snapshot.depth:,} calls are still queued; Twilio goes on dialling them"
            text = f"reset{_told(word)}. The guard is armed again. {left}"
            self._done(account, NoticeKind.RESUMED, text)
        return done

    def go_on(self, account: Account, word: Word, generation: int) -> bool:
        """Let a drain that has stopped at its cap go on; return whether it had."""
        done = self._incidents.continue_drain(
            account.sid, generation, self._clock.now_ms(), by=word.by, reason=word.reason
        )
        if done:
            cap = account.policy.max_cancellations
            text = f"the drain goes on{_told(word)}: up to {cap:,} more calls (max_cancellations) are cancelled"
            self._done(account, NoticeKind.RESUMED, text)
        return done

    def _done(self, account: Account, kind: NoticeKind, text: str) -> bool:
        try:
            self._notices.post(Notice(account.sid, kind, text, self._clock.now_ms()))
        except StoreUnavailable as error:
            _log.warning("account %s: nobody could be told: %s", account.sid, error)
        with suppress(StoreUnavailable):
            self._tell_watcher(account.sid)
        try:
            return self._memory.remember(account.sid)
        except StoreUnavailable:
            return False


def _told(word: Word) -> str:
    return f" {word.told}" if word.by else f": {word.told}" if word.told else ""
