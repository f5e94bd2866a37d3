"""Looks at an account that take too long: while one lasts, nothing else is seen of the account."""

import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

from callguard.clock import Clock
from callguard.domain.notices import Notice, NoticeKind
from callguard.errors import StoreUnavailable
from callguard.watch.needs import Notices

LONG_SECONDS = 30.0
LOG_AGAIN_SECONDS = 60.0
TELL_AGAIN_SECONDS = 3600

_log = logging.getLogger(__name__)

Result = TypeVar("Result")


@dataclass(slots=True)
class _Turn:
    began: float
    logged: float | None = None


class LongTurns:
    """Knows which looks are under way, and tells of one that takes `LONG_SECONDS` or more."""

    def __init__(self, notices: Notices, clock: Clock, monotonic: Callable[[], float]) -> None:
        """Keep the ports; `monotonic` gives seconds for intervals."""
        self._notices = notices
        self._clock = clock
        self._monotonic = monotonic
        self._under_way: dict[str, _Turn] = {}

    def timed(self, account_sid: str, turn: Callable[[], Result]) -> Callable[[], Result]:
        """Return the same turn, noted here while it lasts. No account has two at once."""

        def take() -> Result:
            self._under_way[account_sid] = _Turn(self._monotonic())
            try:
                return turn()
            finally:
                self._end(account_sid)

        return take

    def look(self) -> None:
        """Log what takes too long, once a minute each, and tell people of it, once an hour."""
        now = self._monotonic()
        for account_sid, turn in list(self._under_way.items()):
            last = turn.began + LONG_SECONDS - LOG_AGAIN_SECONDS if turn.logged is None else turn.logged
            if now - last >= LOG_AGAIN_SECONDS:
                turn.logged = now
                self._tell(account_sid, now - turn.began)

    def _end(self, account_sid: str) -> None:
        turn = self._under_way.pop(account_sid)
        if turn.logged is not None:
            _log.warning("account %s: a look has ended, after %.0f s", account_sid, self._monotonic() - turn.began)

    def _tell(self, account_sid: str, seconds: float) -> None:
        text = (
            f"a look at the account has gone on for {seconds:.0f} s and keeps all others waiting: until it ends, "
            "Twilio's queue is not polled, a drain that stands still is not woken, and nothing is armed again; "
            "callbacks and reports are still counted, and trip. If it does not end soon, start the workers again"
        )
        _log.warning("account %s: %s", account_sid, text)
        try:
            self._notices.post(
                Notice(account_sid, NoticeKind.BLIND, text, self._clock.now_ms()),
                once="long turn",
                every_seconds=TELL_AGAIN_SECONDS,
            )
        except StoreUnavailable as error:
            _log.info("account %s: nobody could be told of it: %s", account_sid, error)
