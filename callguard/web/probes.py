"""Probes and metrics."""

import time
from collections.abc import Callable

from flask import Blueprint, Response, request
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from callguard.bootstrap import Services
from callguard.config.api_keys import Role
from callguard.domain.health import report, troubles
from callguard.domain.results import ApiRefusal
from callguard.errors import CallGuardError
from callguard.metrics.exposition import as_text
from callguard.web.api.access import NotAdmitted, caller_of, is_same, offered_key, wrong_role
from callguard.web.api.refusals import Refusals
from callguard.web.kept_answer import KeptAnswer
from callguard.web.spaced_warning import SpacedWarning

_READERS = (Role.VIEWER, Role.OPERATOR)

_NOT_WRITABLE = "redis: it takes no callbacks; the log of this process says why\n"


def probes(services: Services, refusals: Refusals, monotonic: Callable[[], float] = time.monotonic) -> Blueprint:
    """Return `/healthz` (this process serves), `/readyz` (it takes callbacks), `/healthz/guard` and `/metrics`.

    `/healthz/guard` says 200 where every account is guarded, else 503 and why, a line a reason. It names no
    account and no address: anybody may ask, and so for `/readyz`; what they say is up to a second old.
    Scrapes at the same time share a reading.
    """
    blueprint = Blueprint("probes", __name__)
    not_ready = SpacedWarning("not ready, callbacks are answered 503: %s", services.clock)

    def told(find: Callable[[], tuple[str, int]]) -> KeptAnswer[tuple[str, int]]:
        def found() -> tuple[str, int]:
            try:
                return find()
            except CallGuardError as error:
                not_ready.due(str(error))
                return _NOT_WRITABLE, 503

        return KeptAnswer(found, monotonic=monotonic)

    readiness, guard = told(lambda: _readiness(services)), told(lambda: _of_guard(services))
    scrape = KeptAnswer(lambda: as_text(services.collector.collect()), seconds=0, monotonic=monotonic)

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return _text("ok\n")

    @blueprint.get("/readyz")
    def readyz() -> Response:
        return _text(*readiness.now())

    @blueprint.get("/healthz/guard")
    def healthz_guard() -> Response:
        return _text(*guard.now())

    @blueprint.get("/metrics")
    def metrics() -> Response:
        try:
            _admit_scraper(services)
        except NotAdmitted as refused:
            refusals.note(refused.reason, request.remote_addr or "")
            return Response(
                f"{refused.error.message}\n", refused.http_status, refused.headers, content_type=_PLAIN
            )
        return Response(scrape.now(), content_type=CONTENT_TYPE_LATEST)

    return blueprint


def _readiness(services: Services) -> tuple[str, int]:
    services.heartbeats.prove_writable()
    return "ok\n", 200


def _of_guard(services: Services) -> tuple[str, int]:
    now_ms = services.clock.now_ms()
    beats = services.heartbeats.ages_if_writable(now_ms)
    policies = {sid: account.policy for sid, account in services.accounts.items()}
    found = list(troubles(beats, services.readings.watched(policies, now_ms)))
    is_well = all(trouble.is_chosen for trouble in found)
    return report(found, len(policies)), 200 if is_well else 503


def _admit_scraper(services: Services) -> None:
    """Let in the metrics token, and who may read the API; where there is a token, that alone or a key."""
    token, offered = services.metrics_token, offered_key(request)
    if token is not None and is_same(offered, token):
        return
    if token is not None and not services.api_keys:
        reason = ApiRefusal.WRONG_KEY if offered else ApiRefusal.NO_KEY
        raise NotAdmitted(reason, 401, "unauthorized", "CALLGUARD_METRICS_TOKEN is set: send it as a bearer token")
    caller = caller_of(request, services.api_keys, services.public_url)
    if caller.role not in _READERS:
        raise wrong_role(caller, _READERS)


_PLAIN = "text/plain; charset=utf-8"


def _text(body: str, status: int = 200) -> Response:
    return Response(body, status, content_type=_PLAIN)
