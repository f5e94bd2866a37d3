"""Reports news that is truly Twilio's but is dropped, so that people do not find that out by chance."""

import logging
import socket
from collections.abc import Callable

from callguard.clock import Clock
from callguard.detect.needs import Notices
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.wording import span
from callguard.errors import StoreUnavailable
from callguard.web.spaced_warning import SpacedWarning

_log = logging.getLogger(__name__)


DROPPED_EVERY_SECONDS = 3600
"""Seconds between two notices to people that news is dropped."""

TellDropped = Callable[[str, str, str], object]
"""Tells people of an account, what (of a closed set) was dropped, and a text. May raise `StoreUnavailable`."""


def telling(notices: Notices, clock: Clock) -> TellDropped:
    """Return what posts a notice, for each account and each `what` once an hour."""

    def tell(account_sid: str, what: str, text: str) -> None:
        notice = Notice(account_sid, NoticeKind.DROPPED, text, clock.now_ms())
        notices.post(notice, once=f"dropped:{what}", every_seconds=DROPPED_EVERY_SECONDS)

    return tell


class DroppedNews:
    """Logs once a minute, for each account, that `news` is dropped, and tells people whenever it logs."""

    def __init__(self, news: str, clock: Clock, tell: TellDropped) -> None:
        """`news` is the plural that people read: `callbacks` or `events`."""
        self._news = news
        self._clock = clock
        self._tell_people = tell
        self._warnings: dict[tuple[str, str], SpacedWarning] = {}

    def stale(self, account_sid: str, ahead_ms: int) -> None:
        """Take note of news whose time is that far ahead of our clock (negative: behind it)."""
        which = f"{span(abs(ahead_ms) / 1000)} {'ahead of' if ahead_ms > 0 else 'behind'}"
        text = (
            f"Twilio's {self._news} are dropped as stale: their time is {which} the clock of "
            f"{socket.gethostname()}. They are not counted, so that rules over them see nothing; Twilio's "
            "queue is still polled. "
            + ("Set this machine's clock: Twilio's is right" if ahead_ms > 0 else _BEHIND)
        )
        self._tell(account_sid, "stale", f"their time is {which} this machine's clock", text)

    def malformed(self, account_sid: str, code: str) -> None:
        """Take note of news that was signed and cannot be relied on; `code` is of a closed set."""
        text = (
            f"signed {self._news} are dropped as malformed ({code}): they are not counted; Twilio's queue is "
            "still polled. If a call's Url (its TwiML) is /twilio/status, give it another; if not, Twilio has "
            "changed what it sends: upgrade CallGuard"
        )
        self._tell(account_sid, "malformed", code, text)

    def misdirected(self, account_sid: str, advice: str) -> None:
        """Take note of news that Twilio has signed for another address than ours; `advice` says which, and why."""
        text = f"{self._news} are refused, and not counted: {advice}. Twilio's queue is still polled"
        self._tell(account_sid, "misdirected", advice, text)

    def _tell(self, account_sid: str, what: str, detail: str, text: str) -> None:
        warning = self._warnings.get((account_sid, what))
        if warning is None:
            logged = f"{self._news} of an account are dropped as {what}: %s"
            warning = self._warnings[account_sid, what] = SpacedWarning(logged, self._clock)
        if not warning.due(f"{detail}; its SID ends in {account_sid[-4:]}"):
            return
        try:
            self._tell_people(account_sid, f"{self._news}:{what}", text)
        except StoreUnavailable as error:
            _log.info("nobody could be told of it: %s", error)


_BEHIND = (
    "Set this machine's clock if it is ahead of the world's; if it is right, something on the way keeps them "
    "for hours"
)
