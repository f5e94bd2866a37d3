"""`/twilio/events`: the webhook sink of Twilio's Event Streams.

https://www.twilio.com/docs/events/webhook-quickstart
"""

import json
from collections.abc import Mapping

from flask import Blueprint, Request, Response, request
from werkzeug.exceptions import RequestEntityTooLarge

from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.config.urls import masked_url
from callguard.domain.results import ReportResult, ReportSource
from callguard.errors import StoreUnavailable
from callguard.telephony.signature import CallbackAuthenticator
from callguard.web.bodies import read_body
from callguard.web.spaced_warning import SpacedWarning
from callguard.web.twilio.cloud_events import OTHER_ACCOUNT
from callguard.web.twilio.dropped_news import DroppedNews, TellDropped
from callguard.web.twilio.event_batch import BatchReading, read
from callguard.web.twilio.misdirected import arrival_of
from callguard.web.uncounted import ReportTaker, UncountedResults


def events(handler: "EventStreamHandler") -> Blueprint:
    """Return `POST /twilio/events`.

    The answers: 200 with what was counted, and short codes for events that were malformed, whose good neighbours
    are counted all the same; 400 with a code for what is no batch of events; 403 empty for any doubt about the
    signature; 413, 415; 503 with `Retry-After` when the store cannot answer. Twilio repeats a batch that was
    answered 5xx or 429, or not at all, for up to four hours
    (https://www.twilio.com/docs/events/event-delivery-and-duplication); no phase of a call counts twice.
    """
    blueprint = Blueprint("events", __name__)

    @blueprint.route(EVENTS_PATH, methods=["POST"], provide_automatic_options=False)
    def twilio_events() -> Response:
        return handler.answer(request)

    return blueprint


EVENTS_PATH = "/twilio/events"
SOURCE = ReportSource.EVENT_STREAMS

MAX_BODY_BYTES = 1024 * 1024
_MEDIA_TYPES = ("application/json", "application/cloudevents-batch+json", "application/cloudevents+json")
_SHOWN_CHARACTERS = 80
LOOK_EVERY_MS = 10_000


class EventStreamHandler:
    """Takes one batch after the other: verify, parse, hand on, answer."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        authenticator: CallbackAuthenticator,
        clock: Clock,
        reports: ReportTaker,
        tell_dropped: TellDropped,
    ) -> None:
        """Count and warn for this process."""
        self._accounts = accounts
        self._authenticator = authenticator
        self._clock = clock
        self._reports = reports
        self._uncounted = UncountedResults(lambda sid, result: reports.refuse(sid, SOURCE, ReportResult(result)))
        self._bad_signature = SpacedWarning(
            "a request to /twilio/events was refused: %s; if it is from Twilio, check CALLGUARD_PUBLIC_URL, the "
            "sink's address and the accounts' tokens",
            clock,
        )
        self._unknown_type = SpacedWarning("events were ignored: nothing is known of type %s", clock)
        self._unavailable = SpacedWarning(
            "Redis did not answer, so a batch of events was answered 503; account SID ends in %s", clock
        )
        self._dropped = DroppedNews("events", clock, tell_dropped)
        self._looked_ms = -LOOK_EVERY_MS

    def answer(self, request: Request) -> Response:
        """Return the answer to a request, whatever it holds."""
        raw_query, headers = request.environ.get("QUERY_STRING", ""), request.headers
        signer = self._authenticator.json_signer(raw_query, headers)
        if signer is None:  # before its body is read: a stranger shall not make us wait for a megabyte
            return self._forbid(self._why(request))
        if request.mimetype not in _MEDIA_TYPES:
            return self._refuse(signer, ReportResult.UNSUPPORTED_MEDIA_TYPE, 415)
        try:
            body = read_body(request, MAX_BODY_BYTES)
        except RequestEntityTooLarge:
            return self._refuse(signer, ReportResult.TOO_LARGE, 413)
        if self._authenticator.verify_json(raw_query, body, headers) != signer:
            return self._forbid("its body is not the one that was signed")
        return self._take(self._accounts[signer], body)

    def _why(self, request: Request) -> str:
        """Return why a request was refused. It tries every account's token, so it runs only now and then."""
        now_ms = self._clock.now_ms()
        if now_ms - self._looked_ms < LOOK_EVERY_MS:
            return "no configured account has signed it"
        self._looked_ms = now_ms
        url = self._authenticator.json_signed_elsewhere(arrival_of(request.environ, EVENTS_PATH), request.headers)
        return "no configured account has signed it" if url is None else f"Twilio signed it for {masked_url(url)}"

    def _take(self, account: Account, body: bytes) -> Response:
        reading = self._read(account, body)
        try:
            counted = self._reports.take(account, reading.news, SOURCE) if reading.news else 0
        except StoreUnavailable:
            self._uncounted.remember(account.sid, ReportResult.UNAVAILABLE)
            self._unavailable.due(account.sid[-4:])
            return Response(status=503, headers={"Retry-After": "1"})
        self._count_refusals(account.sid, reading)
        return Response(
            json.dumps(reading.summary(counted)), status=reading.http_status, content_type="application/json"
        )

    def _read(self, account: Account, body: bytes) -> BatchReading:
        reading = read(body, account, self._clock.now_ms())
        for unknown in reading.unknown_types:
            self._unknown_type.due(unknown[:_SHOWN_CHARACTERS])
        return reading

    def _count_refusals(self, account_sid: str, reading: BatchReading) -> None:
        if reading.is_too_large:
            self._uncounted.remember(account_sid, ReportResult.TOO_LARGE)
        elif codes := sorted(reading.codes - {OTHER_ACCOUNT}):
            self._dropped.malformed(account_sid, codes[0])
            self._uncounted.remember(account_sid, ReportResult.MALFORMED)
        if OTHER_ACCOUNT in reading.codes:
            self._uncounted.remember(account_sid, ReportResult.OTHER_ACCOUNT)
        if reading.stale:
            self._dropped.stale(account_sid, reading.stale[0].ahead_ms)
            self._uncounted.remember(account_sid, ReportResult.STALE)
        if len(reading.ignored) > len(reading.stale):
            self._uncounted.remember(account_sid, ReportResult.IGNORED)
        self._uncounted.count_some()

    def _forbid(self, why: str) -> Response:
        self._bad_signature.due(why)
        return Response(status=403)

    def _refuse(self, account_sid: str, result: ReportResult, http: int) -> Response:
        self._uncounted.count(account_sid, result)
        return Response(status=http)
