"""`/twilio/apology` and `/twilio/agent`: TwiML for redirected callers, and for the agents who answer them."""

import logging
import re
from collections.abc import Callable, Mapping, Sequence

from flask import Blueprint, Response, request

from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.errors import StoreUnavailable
from callguard.telephony.signature import AGENT_PATH, APOLOGY_PATH, CallbackAuthenticator
from callguard.telephony.twiml import agent, apology
from callguard.web.spaced_warning import SpacedWarning
from callguard.web.twilio.callback_fields import PATTERNS
from callguard.web.twilio.form import Form, UnreadableForm, read_signed

_CALL_SID = re.compile(PATTERNS["CallSid"])

_log = logging.getLogger(__name__)


def twiml(handler: "TwimlHandler") -> Blueprint:
    """Return `POST` and `GET` of both paths.

    The answers: 200 with TwiML by the policy of the account that has signed; 403 empty for any doubt about the
    signature. They need no Redis, so that people on the line always get an answer.
    """
    blueprint = Blueprint("twiml", __name__)
    options = {"methods": ["GET", "POST"], "provide_automatic_options": False}

    @blueprint.route(APOLOGY_PATH, **options)
    def twilio_apology() -> Response:
        account = handler.account_of(APOLOGY_PATH)
        return _answer(apology(account.policy)) if account else Response(status=403)

    @blueprint.route(AGENT_PATH, **options)
    def twilio_agent() -> Response:
        account = handler.account_of(AGENT_PATH)
        return _answer(agent(account.policy)) if account else Response(status=403)

    return blueprint


class TwimlHandler:
    """Verifies requests, and marks their calls so that the guard never touches them."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        authenticator: CallbackAuthenticator,
        clock: Clock,
        leave_alone: Callable[[str, Sequence[str]], None],
    ) -> None:
        """`leave_alone` lets an account's live calls never be touched. It may raise `StoreUnavailable`."""
        self._accounts = accounts
        self._authenticator = authenticator
        self._keep_off = leave_alone
        self._refused = SpacedWarning(
            "a request for TwiML was refused: its signature does not fit the account whose SID ends in %s; if it "
            "is from Twilio, check CALLGUARD_PUBLIC_URL and the account's tokens",
            clock,
        )

    def account_of(self, path: str) -> Account | None:
        """Return the account that has signed this request; None if none has."""
        form = self._verified(path)
        if form is None:
            return None
        account = self._accounts[form["AccountSid"]]
        self._leave_alone(account, form.get("CallSid", ""))
        return account

    def _verified(self, path: str) -> Form | None:
        environ, authenticator = request.environ, self._authenticator
        raw_query = environ.get("QUERY_STRING", "")
        try:
            form, signed_text = read_signed(environ)
        except UnreadableForm:
            return None
        sid = form.get("AccountSid")
        if signed_text is not None:
            verified = authenticator.verify_form(sid, raw_query, signed_text, request.headers, path)
        else:
            verified = authenticator.verify_query(sid, raw_query, request.headers, path)
        if verified:
            return form
        self._refused.due((sid or "")[-4:])
        return None

    def _leave_alone(self, account: Account, call_sid: str) -> None:
        if not _CALL_SID.fullmatch(call_sid):
            return
        try:
            self._keep_off(account.sid, [call_sid])
        except StoreUnavailable as error:
            _log.warning("account %s: call …%s: %s", account.sid, call_sid[-4:], error)


def _answer(text: str) -> Response:
    return Response(text, content_type="text/xml; charset=utf-8")
