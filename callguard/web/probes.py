"""Probes and metrics."""

import hmac

from flask import Blueprint, Response, request
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from callguard.bootstrap import Services
from callguard.metrics.exposition import as_text
from callguard.ports import CallGuardError
from callguard.web.spaced_warning import SpacedWarning


def probes(services: Services) -> Blueprint:
    """Return `/healthz` (this process serves), `/readyz` (it can do its work) and `/metrics`."""
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
            return _text("Redis takes no callbacks: the log of this process says why\n", 503)
        return _text("ok\n")

    @blueprint.get("/metrics")
    def metrics() -> Response:
        if not _may_scrape(services.metrics_token):
            answer = _text("CALLGUARD_METRICS_TOKEN is set: send it as a bearer token\n", 401)
            answer.headers["WWW-Authenticate"] = 'Bearer realm="callguard"'
            return answer
        return Response(as_text(services.collector.collect()), content_type=CONTENT_TYPE_LATEST)

    return blueprint


def _may_scrape(token: str | None) -> bool:
    if token is None:
        return True
    offered = request.headers.get("Authorization", "")
    return hmac.compare_digest(offered.encode(), f"Bearer {token}".encode())


def _text(body: str, status: int = 200) -> Response:
    return Response(body, status, content_type="text/plain; charset=utf-8")
