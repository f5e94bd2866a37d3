"""Probes and metrics."""

import hmac

from flask import Blueprint, Response, request
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from callguard.bootstrap import Services
from callguard.domain.health import Watched, report, troubles
from callguard.metrics.exposition import as_text
from callguard.ports import CallGuardError
from callguard.web.spaced_warning import SpacedWarning

_NOT_WRITABLE = "redis: it takes no callbacks; the log of this process says why\n"


def probes(services: Services) -> Blueprint:
    """Return `/healthz` (this process serves), `/readyz` (it takes callbacks), `/healthz/guard` and `/metrics`.

    `/healthz/guard` says 200 where every account is guarded, else 503 and why, a line a reason. It names no
    account and no address: anybody may ask.
    """
    blueprint = Blueprint("probes", __name__)
    not_ready = SpacedWarning("not ready, callbacks are answered 503: %s", services.clock)

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return _text("ok\n")

    @blueprint.get("/readyz")
    def readyz() -> Response:
        try:
            services.heartbeats.prove_writable()
        except CallGuardError as error:
            not_ready.due(str(error))
            return _text(_NOT_WRITABLE, 503)
        return _text("ok\n")

    @blueprint.get("/healthz/guard")
    def healthz_guard() -> Response:
        try:
            services.heartbeats.prove_writable()
            found = list(troubles(services.heartbeats.ages(services.clock.now_ms()), _watched(services)))
        except CallGuardError as error:
            not_ready.due(str(error))
            return _text(_NOT_WRITABLE, 503)
        is_well = all(trouble.is_chosen for trouble in found)
        return _text(report(found, len(services.accounts)), 200 if is_well else 503)

    @blueprint.get("/metrics")
    def metrics() -> Response:
        if not _may_scrape(services.metrics_token):
            answer = _text("CALLGUARD_METRICS_TOKEN is set: send it as a bearer token\n", 401)
            answer.headers["WWW-Authenticate"] = 'Bearer realm="callguard"'
            return answer
        return Response(as_text(services.collector.collect()), content_type=CONTENT_TYPE_LATEST)

    return blueprint


def _watched(services: Services) -> list[Watched]:
    policies = {sid: account.policy for sid, account in services.accounts.items()}
    read = services.readings.read_each(policies, services.clock.now_ms())
    return [
        Watched(sid, reading.snapshot, policies[sid], [outage.words for outage in reading.outages])
        for sid, reading in read.items()
    ]


def _may_scrape(token: str | None) -> bool:
    if token is None:
        return True
    offered = request.headers.get("Authorization", "")
    return hmac.compare_digest(offered.encode(), f"Bearer {token}".encode())


def _text(body: str, status: int = 200) -> Response:
    return Response(body, status, content_type="text/plain; charset=utf-8")
