"""Requests that Twilio has signed for another address than ours: what is wrong, and how to mend it."""

from collections.abc import Mapping
from typing import Any
from urllib.parse import urlsplit

from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.config.urls import masked_url
from callguard.telephony.signature import CallbackAuthenticator
from callguard.telephony.signed_urls import Arrival
from callguard.web.spaced_warning import SpacedWarning
from callguard.web.twilio.dropped_news import DroppedNews
from callguard.web.twilio.form import RequestHeaders

_SHOWN_CHARACTERS = 200


class Misdirected:
    """Recognises such requests, and tells people once an hour. Their content is not used."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        authenticator: CallbackAuthenticator,
        clock: Clock,
        dropped: DroppedNews,
    ) -> None:
        """Warn for this process; people are told through `dropped`."""
        self._accounts = accounts
        self._authenticator = authenticator
        self._dropped = dropped
        self._nowhere = SpacedWarning(
            "a request was answered 404: nothing is at %s; status callbacks belong to /twilio/status, those of "
            "Event Streams to /twilio/events",
            clock,
        )

    def is_known(
        self, account_sid: str | None, environ: dict[str, Any], fields_text: str | None, expected_path: str
    ) -> bool:
        """Return whether the account has signed the request for another URL; if so, tell people for which."""
        if account_sid is None or account_sid not in self._accounts:
            return False
        arrival, headers = arrival_of(environ, expected_path), RequestHeaders(environ)
        url = self._authenticator.signed_elsewhere(account_sid, arrival, fields_text, headers)
        if url is None:
            return False
        has_fields = fields_text is None
        self._dropped.misdirected(account_sid, self._advice(url, expected_path, has_fields=has_fields))
        return True

    def nowhere(self, path: str) -> None:
        """Take note of a request to an unknown path."""
        self._nowhere.due(path[:_SHOWN_CHARACTERS])

    def _advice(self, url: str, expected_path: str, *, has_fields: bool) -> str:
        signed, public_url = urlsplit(url), self._authenticator.public_url
        public = urlsplit(public_url)
        where, _, query = public_url.partition("?")
        wanted = f"{where.rstrip('/')}{expected_path}{'?' if query else ''}{query}"
        shown = masked_url(f"{signed.scheme}://{signed.netloc}{signed.path}" if has_fields else url)
        wrong = []
        if signed.path != f"{public.path.rstrip('/')}{expected_path}":
            wrong.append("its path is another one (look at each letter, and at a slash at its end)")
        if not has_fields and signed.query != public.query:
            has = "another query" if public.query else "no query"
            wrong.append(f"CALLGUARD_PUBLIC_URL has {has} (write it there, or leave it out of the StatusCallback)")
        if signed.hostname != public.hostname or signed.scheme != public.scheme:
            wrong.append("CALLGUARD_PUBLIC_URL has another scheme or host")
        return (
            f"Twilio has signed them for {shown}: {'; '.join(wrong) or 'its port or query differs'}. The right "
            + (f"address is {masked_url(wanted)}")
        )


def arrival_of(environ: Mapping[str, Any], expected_path: str) -> Arrival:
    """Return how a request came in that should have come to `expected_path`."""
    return Arrival(
        expected_path, environ.get("PATH_INFO", ""), environ.get("QUERY_STRING", ""), environ.get("HTTP_HOST", "")
    )
