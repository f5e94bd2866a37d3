"""Tells people when Twilio fails to do what we ask, and when it does it again."""

import logging
from collections.abc import Mapping

from callguard.clock import Clock
from callguard.domain.notices import Notice, NoticeKind, Outage
from callguard.domain.wording import span
from callguard.errors import CallGuardError, StoreUnavailable, TwilioRefused
from callguard.mirror.needs import Notices, Outages

_log = logging.getLogger(__name__)

BLIND_MS = 30_000
"""Milliseconds that Twilio's list may fail before people are told: most failures are over by then."""

_CHECK = (
    "Check the account's auth token (TWILIO_AUTH_TOKEN, or the TOML file's auth_token_env or auth_token_file), "
    "and start the guard again with the right one"
)
_DENIED: Mapping[Outage, str] = {
    Outage.LIST_DENIED: (
        "Twilio refuses our credentials (401 or 403) for the list of queued calls. A runaway without callbacks "
        f"goes unseen, and none can be cancelled. Callbacks are still counted. {_CHECK}"
    ),
    Outage.CANCEL_DENIED: (
        "Twilio refuses our credentials (401 or 403) for cancelling. The incident is open and its calls go on "
        f"being dialled; the guard tries again each second. {_CHECK}, or cancel the calls in Twilio's Console"
    ),
}


class TwilioOutages:
    """Records Twilio's outages for every process to see, and tells people once of each.

    Best effort: a Redis that is away does not delay requests to Twilio.
    """

    def __init__(self, outages: Outages, notices: Notices, clock: Clock) -> None:
        """Keep the ports."""
        self._outages = outages
        self._notices = notices
        self._clock = clock
        self._failing_since_ms: dict[str, int] = {}

    def list_failed(self, account_sid: str, error: CallGuardError) -> None:
        """Note that Twilio's list could not be read, and why."""
        now_ms = self._clock.now_ms()
        since_ms = self._failing_since_ms.setdefault(account_sid, now_ms)
        try:
            if isinstance(error, TwilioRefused) and error.is_denial:
                self._deny(account_sid, Outage.LIST_DENIED, now_ms)
            elif now_ms - since_ms >= BLIND_MS or now_ms < since_ms:
                self._blind(account_sid, since_ms, now_ms, error)
        except StoreUnavailable as failure:
            _log.info("account %s: the outage could not be noted: %s", account_sid, failure)

    def list_read(self, account_sid: str, *, has_incident: bool, outages: int | None = None) -> None:
        """Note that Twilio's list was read; `outages` is how many outages go on, if the store has just told.

        Without an open incident no cancel can show that cancels are accepted again, so that outage ends here.
        """
        self._failing_since_ms.pop(account_sid, None)
        if outages == 0:
            return
        try:
            going_on = self._outages.now(account_sid)
            if Outage.LIST in going_on:
                self._see_again(account_sid, going_on[Outage.LIST])
            if Outage.LIST_DENIED in going_on:
                self._accept(account_sid, Outage.LIST_DENIED, going_on)
            if Outage.CANCEL_DENIED in going_on and not has_incident:
                self._outages.end(account_sid, Outage.CANCEL_DENIED)
        except StoreUnavailable as failure:
            _log.info("account %s: the end of an outage could not be noted: %s", account_sid, failure)

    def cancel_denied(self, account_sid: str) -> None:
        """Note that Twilio refuses our credentials for cancels."""
        try:
            self._deny(account_sid, Outage.CANCEL_DENIED, self._clock.now_ms())
        except StoreUnavailable as failure:
            _log.info("account %s: the outage could not be noted: %s", account_sid, failure)

    def cancel_served(self, account_sid: str) -> None:
        """Note that Twilio carries out our cancels."""
        try:
            going_on = self._outages.now(account_sid)
            if Outage.CANCEL_DENIED in going_on:
                self._accept(account_sid, Outage.CANCEL_DENIED, going_on)
        except StoreUnavailable as failure:
            _log.info("account %s: the end of an outage could not be noted: %s", account_sid, failure)

    def _deny(self, account_sid: str, outage: Outage, now_ms: int) -> None:
        others = {other for other in self._outages.now(account_sid) if other.is_denial} - {outage}
        since_ms = self._outages.begin(account_sid, outage, now_ms)
        if others:  # the same token causes both, and people have been told
            return
        text = _DENIED[outage]
        if self._post(account_sid, NoticeKind.DENIED, text, f"denied:{since_ms}"):
            _log.error("account %s: %s", account_sid, text)

    def _accept(self, account_sid: str, outage: Outage, going_on: Mapping[Outage, int]) -> None:
        if not any(other.is_denial for other in going_on if other is not outage):
            since_ms = going_on[outage]
            text = (
                f"Twilio accepts our credentials again, after {self._span(since_ms)}. The guard goes on by itself."
            )
            self._post(account_sid, NoticeKind.DENIED, text, f"accepted:{since_ms}")
        self._outages.end(account_sid, outage)

    def _blind(self, account_sid: str, first_ms: int, now_ms: int, error: CallGuardError) -> None:
        since_ms = self._outages.begin(account_sid, Outage.LIST, first_ms if first_ms <= now_ms else now_ms)
        text = (
            f"Twilio's list of queued calls could not be read for {self._span(since_ms)}: {error}. A runaway "
            "without callbacks goes unseen; callbacks and events are still counted, and trip. Calls that only "
            "programs report count once the list is read again. The guard keeps asking. "
            "Look at https://status.twilio.com and at the network between here and Twilio"
        )
        self._post(account_sid, NoticeKind.BLIND, text, f"blind:{since_ms}")

    def _see_again(self, account_sid: str, since_ms: int) -> None:
        text = f"Twilio's list of queued calls is read again, after {self._span(since_ms)}. Nothing is to be done."
        self._post(account_sid, NoticeKind.BLIND, text, f"seeing:{since_ms}")
        self._outages.end(account_sid, Outage.LIST)

    def _post(self, account_sid: str, kind: NoticeKind, text: str, once: str) -> bool:
        return self._notices.post(Notice(account_sid, kind, text, self._clock.now_ms()), once=once)

    def _span(self, since_ms: int) -> str:
        return span(max(0, self._clock.now_ms() - since_ms) / 1000)
