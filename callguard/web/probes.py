"""Probes and metrics."""

from flask import Blueprint, Response, request
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from callguard.bootstrap import Services
from callguard.config.keys import Role
from callguard.domain.results import ApiRefusal
from callguard.ports import CallGuardError
from callguard.web.api.access import NotAdmitted, caller_of, is_same, offered_key, wrong_role
from callguard.web.api.refusals import Refusals
from callguard.web.spaced_warning import SpacedWarning

_READERS = (Role.VIEWER, Role.OPERATOR)


def probes(services: Services, refusals: Refusals) -> Blueprint:
    """Return `/healthz` (this process serves), `/readyz` (it can do its work) and `/metrics`."""
    blueprint = Blueprint("probes", __name__)
    registry = CollectorRegistry()
    registry.register(services.collector)
    unready = SpacedWarning("not ready: %s", services.clock)

    @blueprint.get("/healthz")
    def healthz() -> Response:
        return _text("ok\n")

    @blueprint.get("/readyz")
    def readyz() -> Response:
        try:
            services.heartbeats.ages(services.clock.now_ms())
        except CallGuardError as error:
            # The error names inner addresses, and anybody may ask.
            unready.due(str(error))
            return _text("Redis does not answer; the log says why\n", 503)
        return _text("ok\n")

    @blueprint.get("/metrics")
    def metrics() -> Response:
        try:
            _admit_scraper(services)
        except NotAdmitted as refused:
            refusals.note(refused.reason, request.remote_addr or "")
            return Response(
                f"{refused.error.message}\n", refused.http_status, refused.headers, content_type=_PLAIN
            )
        return Response(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)

    return blueprint


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
