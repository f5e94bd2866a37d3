"""From a request with a callback to its answer."""

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.domain.calls import CallEvent
from callguard.domain.results import CallbackResult
from callguard.errors import StoreUnavailable
from callguard.telephony.signature import CallbackAuthenticator
from callguard.web.moments import Stale
from callguard.web.spaced_warning import SpacedWarning
from callguard.web.twilio.callback_parser import Ignored, MalformedCallback, parse_callback
from callguard.web.twilio.dropped_news import DroppedNews, TellDropped
from callguard.web.twilio.form import (
    Form,
    RequestHeaders,
    TooLarge,
    UnreadableForm,
    UnsupportedMediaType,
    read_signed,
)
from callguard.web.twilio.misdirected import Misdirected
from callguard.web.uncounted import UncountedResults

STATUS_PATH = "/twilio/status"

_ANSWERS = {
    CallbackResult.ACCEPTED: "204 NO CONTENT",
    CallbackResult.IGNORED: "204 NO CONTENT",
    CallbackResult.OTHER_KIND: "204 NO CONTENT",
    CallbackResult.STALE: "204 NO CONTENT",
    CallbackResult.FORBIDDEN: "403 FORBIDDEN",
    CallbackResult.WRONG_URL: "403 FORBIDDEN",
    CallbackResult.NOT_FOUND: "404 NOT FOUND",
    CallbackResult.MALFORMED: "400 BAD REQUEST",
    CallbackResult.TOO_LARGE: "413 REQUEST ENTITY TOO LARGE",
    CallbackResult.UNSUPPORTED_MEDIA_TYPE: "415 UNSUPPORTED MEDIA TYPE",
    CallbackResult.UNAVAILABLE: "503 SERVICE UNAVAILABLE",
}


class Answer(NamedTuple):
    """What a WSGI server is told: it costs less than a `Response`, of which a callback's answer needs nothing."""

    status: str
    headers: list[tuple[str, str]]
    body: bytes


class StatusCallbackHandler:
    """Takes one callback after the other: verify, parse, hand on, answer."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        authenticator: CallbackAuthenticator,
        clock: Clock,
        take: Callable[[Account, CallEvent], object],
        refuse: Callable[[str, str], None],
        tell_dropped: TellDropped,
    ) -> None:
        """Count and warn for this process.

        `take` counts an event and acts on it; `refuse` counts a callback of an account that was not taken, by its
        result. All three may raise `StoreUnavailable`.
        """
        self._accounts = accounts
        self._authenticator = authenticator
        self._clock = clock
        self._take_event = take
        self._uncounted = UncountedResults(refuse)
        self._unknown_account = SpacedWarning(
            "a callback was refused: no account is configured whose SID ends in %s", clock
        )
        self._bad_signature = SpacedWarning(
            "a callback was refused: its signature does not fit the account whose SID ends in %s; if it is from "
            "Twilio, check CALLGUARD_PUBLIC_URL and the account's tokens",
            clock,
        )
        self._unavailable = SpacedWarning(
            "Redis did not answer, so a callback was answered 503; account SID ends in %s", clock
        )
        self._dropped = DroppedNews("callbacks", clock, tell_dropped)
        self._misdirected = Misdirected(accounts, authenticator, clock, self._dropped)

    def answer(self, environ: dict[str, Any]) -> Answer:
        """Return the answer to a request, whatever it holds, by its WSGI environment."""
        try:
            form, signed_text = read_signed(environ)
        except UnreadableForm as error:
            return self._refuse(error.claimed_account, _result_of(error))
        account_sid = form.get("AccountSid")
        if not self._is_authentic(account_sid, environ, signed_text):
            is_twilios = self._misdirected.is_known(account_sid, environ, signed_text, STATUS_PATH)
            return self._refuse(account_sid, CallbackResult.WRONG_URL if is_twilios else CallbackResult.FORBIDDEN)
        return self._parse(self._accounts[form["AccountSid"]], form, signed_text)

    def answer_nowhere(self, path: str, environ: dict[str, Any]) -> Answer:
        """Return the answer to a request to another path below `/twilio/`."""
        self._misdirected.nowhere(path)
        try:
            form, signed_text = read_signed(environ)
        except UnreadableForm as error:
            self._refuse(error.claimed_account, CallbackResult.NOT_FOUND)
        else:
            account_sid = form.get("AccountSid")
            is_twilios = self._misdirected.is_known(account_sid, environ, signed_text, STATUS_PATH)
            self._refuse(account_sid, CallbackResult.WRONG_URL if is_twilios else CallbackResult.NOT_FOUND)
        return _answer(CallbackResult.NOT_FOUND)

    def _is_authentic(self, account_sid: str | None, environ: dict[str, Any], signed_text: str | None) -> bool:
        raw_query, headers = environ.get("QUERY_STRING", ""), RequestHeaders(environ)
        if signed_text is None:
            return self._authenticator.verify_query(account_sid, raw_query, headers)
        return self._authenticator.verify_form(account_sid, raw_query, signed_text, headers)

    def _parse(self, account: Account, form: Form, signed_text: str | None) -> Answer:
        try:
            event = parse_callback(
                form,
                self._clock.now_ms(),
                account.hasher,
                signed_text=signed_text,
                repeated=form.repeated_names,
            )
        except MalformedCallback as error:
            self._dropped.malformed(account.sid, error.code)
            return self._refuse(account.sid, CallbackResult.MALFORMED, error.code)
        if isinstance(event, Stale):
            self._dropped.stale(account.sid, event.ahead_ms)
            return self._refuse(account.sid, CallbackResult.STALE)
        if isinstance(event, Ignored):
            is_other_kind = event is Ignored.OTHER_KIND
            return self._refuse(
                account.sid, CallbackResult.OTHER_KIND if is_other_kind else CallbackResult.IGNORED
            )
        return self._take(account, event)

    def _take(self, account: Account, event: CallEvent) -> Answer:
        try:
            self._take_event(account, event)
        except StoreUnavailable:
            self._uncounted.remember(account.sid, CallbackResult.UNAVAILABLE)
            self._unavailable.due(account.sid[-4:])
            return _answer(CallbackResult.UNAVAILABLE)
        self._uncounted.count_some()
        return _answer(CallbackResult.ACCEPTED)

    def _refuse(self, account_sid: str | None, result: CallbackResult, code: str = "") -> Answer:
        """Answer, and count for configured accounts only: nobody else may cause a write or a label."""
        is_known = account_sid is not None and account_sid in self._accounts
        if account_sid is not None and is_known:
            self._uncounted.count(account_sid, result)
        if result is CallbackResult.FORBIDDEN:
            (self._bad_signature if is_known else self._unknown_account).due((account_sid or "")[-4:])
        return _answer(result, code)


def _result_of(error: UnreadableForm) -> CallbackResult:
    if isinstance(error, TooLarge):
        return CallbackResult.TOO_LARGE
    if isinstance(error, UnsupportedMediaType):
        return CallbackResult.UNSUPPORTED_MEDIA_TYPE
    return CallbackResult.FORBIDDEN


def _answer(result: CallbackResult, code: str = "") -> Answer:
    """Return Twilio's answer. It logs a warning for any but 2xx: https://www.twilio.com/docs/api/errors/15003"""
    status, body = _ANSWERS[result], code.encode()
    headers = [("Content-Type", "text/plain; charset=utf-8")] if code else []
    if not status.startswith("204"):
        headers.append(("Content-Length", str(len(body))))
    if result is CallbackResult.UNAVAILABLE:
        headers.append(("Retry-After", "1"))
    return Answer(status, headers, body)
