"""Verifies that a callback, or a batch of events, comes from Twilio.

Sources: https://www.twilio.com/docs/usage/security#validating-requests,
https://www.twilio.com/docs/usage/webhooks/webhook-shared-keys
"""

import hashlib
import hmac
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import combinations
from typing import Protocol
from urllib.parse import unquote, urlsplit

from twilio.request_validator import SIGNATURE_HEADER, SIGNATURE_SETTINGS_HEADER, RequestValidator

from callguard.config.accounts import Account, SignatureAlgorithm
from callguard.telephony.signed_urls import Arrival, other_urls

STATUS_PATH = "/twilio/status"
EVENTS_PATH = "/twilio/events"
APOLOGY_PATH = "/twilio/apology"
AGENT_PATH = "/twilio/agent"

# Twilio appends the fields to the query. Characters that a URL cannot hold are refused: parsers drop or
# move some of them (a tab, a fragment), so that the signed text would not be the text that is read.
_QUERY = re.compile(r"[!$-~]*")
_SIGNATURE = re.compile(r"(?:[A-Za-z0-9+/]{27}|[A-Za-z0-9+/]{43})=")  # 160 or 256 bits
_UNDONE = re.compile("%3A|%40|%27|%2C", re.IGNORECASE)  # : @ ' ,
_BODY_HASH = re.compile(r"bodySHA256=([0-9a-f]{64})")
_MAX_SETTINGS_CHARACTERS = 256


class Headers(Protocol):
    """Request headers; a repeated one is joined with commas, as WSGI servers do."""

    def get(self, name: str, /) -> str | None:
        """Return a header's value, None where it is missing. Upper and lower case are the same."""


@dataclass(frozen=True, slots=True)
class _Secret:
    """A secret that signs, and its one algorithm."""

    validator: RequestValidator
    algorithm: SignatureAlgorithm

    def has_signed(self, signature: str, text: str) -> bool:
        # `RequestValidator.validate` does the same, but it takes the URL and the fields apart anew for each
        # try, which costs twenty times as much, and loses a host in brackets.
        expected = self.validator.compute_signature(text, {}, self.algorithm.value)
        return hmac.compare_digest(signature, expected)


class CallbackAuthenticator:
    """Checks signatures against the URL, tokens and keys of our configuration, and nothing else.

    No method raises, whatever it is given: a request that cannot be verified gives False or None.
    """

    def __init__(self, public_url: str, accounts: Mapping[str, Account]) -> None:
        """Serve callbacks to `public_url` + a path + the query of `public_url`, if it has one."""
        self.public_url = public_url
        self._query = urlsplit(public_url).query
        self._urls = {path: _callback_urls(public_url, path) for path in (STATUS_PATH, APOLOGY_PATH, AGENT_PATH)}
        self._form_urls = {path: self._with_query(self._query, path) for path in self._urls}
        self._tokens = {
            account.sid: tuple(_secret(token, SignatureAlgorithm.SHA1) for token in account.auth_tokens)
            for account in accounts.values()
        }
        self._shared_keys = {
            (account.sid, key.id, key.algorithm.value): (_secret(key.secret, key.algorithm),)
            for account in accounts.values()
            for key in account.shared_keys
        }

    def verify_form(
        self,
        account_sid: str | None,
        raw_query: str,
        fields_text: str,
        headers: Headers,
        path: str = STATUS_PATH,
    ) -> bool:
        """Return whether `account_sid` has signed a POST to `path`, which is one of the above.

        `raw_query` is the query string as it came, still escaped; it must be the configured one.
        `fields_text` has the names and values of all fields, decoded, sorted and without anything between.
        """
        if raw_query != self._query:
            return False
        return self._verify(account_sid, [url + fields_text for url in self._form_urls[path]], headers)

    def verify_query(
        self, account_sid: str | None, raw_query: str, headers: Headers, path: str = STATUS_PATH
    ) -> bool:
        """Return whether `account_sid` has signed a GET of `path`, whose fields follow the configured query."""
        begins_well = not self._query or f"{raw_query}&".startswith(f"{self._query}&")
        if not begins_well or not _QUERY.fullmatch(raw_query):
            return False
        texts = (text for query in _as_signed(raw_query) for text in self._with_query(query, path))
        return self._verify(account_sid, texts, headers)

    def signed_elsewhere(
        self, account_sid: str | None, arrival: Arrival, fields_text: str | None, headers: Headers
    ) -> str | None:
        """Return the URL of another path, query or host that `account_sid` has signed; None if it has signed none.

        `fields_text` is as for `verify_form`, None for a GET. Such a request is Twilio's, but it was not meant for
        us, so none of its content may be used.
        """
        for url in other_urls(self.public_url, arrival):
            texts = [url + fields_text] if fields_text is not None else _as_signed(url)
            if self._verify(account_sid, texts, headers):
                return url
        return None

    def json_signed_elsewhere(self, arrival: Arrival, headers: Headers) -> str | None:
        """Return the other URL that any account has signed a POST with JSON for; None if none has."""
        urls = (self.signed_elsewhere(sid, arrival, "", headers) for sid in self._tokens)
        return next((url for url in urls if url is not None), None)

    def json_signer(self, raw_query: str, headers: Headers, path: str = EVENTS_PATH) -> str | None:
        """Return the SID of the account that has signed the URL of a POST with JSON, None if nobody has.

        Twilio signs the URL alone, which holds a hash of the body. So this can be asked before the body is
        read, and a stranger's megabyte is not read at all. It says nothing about the body: `verify_json` does.
        The request names no account, so the secrets of all configured ones are tried.
        """
        if self._body_hash(raw_query) is None:
            return None
        texts = [f"{url}?{raw_query}" for url in _callback_urls(self.public_url, path)]
        return next((sid for sid in self._tokens if self._verify(sid, texts, headers)), None)

    def verify_json(self, raw_query: str, body: bytes, headers: Headers, path: str = EVENTS_PATH) -> str | None:
        """Return the SID of the account that has signed a POST with this raw body, None if nobody has.

        `raw_query` must be the configured query and `bodySHA256` behind it, and nothing else.
        """
        body_hash = self._body_hash(raw_query)
        if body_hash is None or not hmac.compare_digest(body_hash, hashlib.sha256(body).hexdigest()):
            return None
        return self.json_signer(raw_query, headers, path)

    def _body_hash(self, raw_query: str) -> str | None:
        configured = f"{self._query}&" if self._query else ""
        match = _BODY_HASH.fullmatch(raw_query.removeprefix(configured))
        return match[1] if match and raw_query.startswith(configured) else None

    def _verify(self, account_sid: str | None, texts: Iterable[str], headers: Headers) -> bool:
        try:
            signature = headers.get(SIGNATURE_HEADER)
            if account_sid is None or signature is None or not _SIGNATURE.fullmatch(signature):
                return False
            secrets = self._secrets(account_sid, headers.get(SIGNATURE_SETTINGS_HEADER))
            for text in texts:
                for secret in secrets:
                    if secret.has_signed(signature, text):
                        return True
            return False
        except (TypeError, ValueError):
            return False  # Text that has no UTF-8, such as half a surrogate pair.

    def _secrets(self, account_sid: str, settings: str | None) -> tuple[_Secret, ...]:
        """Return the secrets that may have signed the request.

        The settings header is not signed. It may name one of our keys, but it never chooses an algorithm. With a
        key named, the auth tokens are not tried.
        """
        if settings is None:
            return self._tokens.get(account_sid, ())
        return self._shared_keys.get((account_sid, *_named_in(settings)), ())

    def _with_query(self, query: str, path: str) -> tuple[str, ...]:
        return tuple(f"{url}?{query}" if query else url for url in self._urls[path])


def _as_signed(query: str) -> Iterator[str]:
    """Yield the query as it came, and with escapes undone that Twilio sends but may not have signed.

    https://github.com/twilio/twilio-node/pull/621, https://github.com/twilio/twilio-ruby/issues/528. None of these
    characters is a separator in a query, so all of the texts have the same fields.
    """
    escapes = sorted({found.upper() for found in _UNDONE.findall(query)})
    for count in range(len(escapes) + 1):
        for undone in combinations(escapes, count):
            yield _UNDONE.sub(lambda found: unquote(found[0]) if found[0].upper() in undone else found[0], query)  # noqa: B023


def _secret(secret: str, algorithm: SignatureAlgorithm) -> _Secret:
    return _Secret(RequestValidator(secret), algorithm)


def _callback_urls(public_url: str, path: str) -> tuple[str, str]:
    """Return the URL without a query, without and with its port; the likelier first.

    Twilio drops the port over HTTPS and keeps it over HTTP, but not always
    (https://github.com/twilio/twilio-python/issues/392). It drops user names and fragments.
    """
    parts = urlsplit(public_url)
    host = parts.netloc.rpartition("@")[2]
    bare = re.sub(r":\d*$", "", host)
    standard_port = 443 if parts.scheme == "https" else 80
    hosts = (bare, f"{bare}:{parts.port or standard_port}")
    likelier_first = hosts[::-1] if parts.scheme == "http" and parts.port else hosts
    without, with_port = (f"{parts.scheme}://{h}{parts.path.rstrip('/')}{path}" for h in likelier_first)
    return without, with_port


def _named_in(settings: str) -> tuple[str, str]:
    """Return key and algorithm of `key=<id>,algorithm=<algorithm>`; two blanks if it says anything else."""
    parts = [part.partition("=") for part in settings[: _MAX_SETTINGS_CHARACTERS + 1].split(",")]
    named = {name.strip(): value.strip() for name, _, value in parts}
    if len(settings) > _MAX_SETTINGS_CHARACTERS or len(parts) != 2 or named.keys() != {"key", "algorithm"}:
        return "", ""
    return named["key"], named["algorithm"]
