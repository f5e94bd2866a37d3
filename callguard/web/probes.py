"""Probes and metrics."""

import math
import time
from collections.abc import Callable
from threading import Lock
from typing import Generic, TypeVar

from flask import Blueprint, Response, request
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from callguard.bootstrap import WebParts
from callguard.config.api_keys import Role
from callguard.domain.health import report, troubles
from callguard.domain.results import ApiRefusal
from callguard.errors import CallGuardError
from callguard.metrics.collector import as_text
from callguard.web.api.access import NotAdmitted, caller_of, is_same, offered_key, wrong_role
from callguard.web.api.refusals import Refusals
from callguard.web.spaced_warning import SpacedWarning

_READERS = (Role.VIEWER, Role.OPERATOR)

_NOT_WRITABLE = "redis: it takes no callbacks; the log of this process says why\n"


def probes(parts: WebParts, refusals: Refusals, monotonic: Callable[[], float] = time.monotonic) -> Blueprint:
    """Return `/healthz` (this process serves), `/readyz` (it takes callbacks), `/healthz/guard` and `/metrics`.

    `/healthz/guard` says 200 where every account is guarded, else 503 and why, a line a reason. It names no
    account and no address, as anybody may ask. The same holds for `/readyz`; both answers are up to a second old.
    Scrapes at the same time share a reading.
    """
    blueprint = Blueprint("probes", __name__)
    not_ready = SpacedWarning("not ready, callbacks are answered 503: %s", parts.clock)

    def told(find: Callable[[], tuple[str, int]]) -> KeptAnswer[tuple[str, int]]:
        def found() -> tuple[str, int]:
            try:
                return find()
            except CallGuardError as error:
                not_ready.due(str(error))
                return _NOT_WRITABLE, 503

        return KeptAnswer(found, monotonic=monotonic)

    readiness, guard = told(lambda: _readiness(parts)), told(lambda: _of_guard(parts))
    scrape = KeptAnswer(lambda: as_text(parts.collector.collect()), seconds=0, monotonic=monotonic)

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
            _admit_scraper(parts)
        except NotAdmitted as refused:
            refusals.note(refused.reason, request.remote_addr or "")
            return Response(
                f"{refused.error.message}\n", refused.http_status, refused.headers, content_type=_PLAIN
            )
        return Response(scrape.now(), content_type=CONTENT_TYPE_LATEST)

    return blueprint


def _readiness(parts: WebParts) -> tuple[str, int]:
    parts.stores.heartbeats.prove_writable()
    return "ok\n", 200


def _of_guard(parts: WebParts) -> tuple[str, int]:
    now_ms = parts.clock.now_ms()
    beats = parts.stores.heartbeats.ages_if_writable(now_ms)
    policies = {sid: account.policy for sid, account in parts.accounts.items()}
    found = list(troubles(beats, parts.stores.readings.watched(policies, now_ms)))
    is_well = all(trouble.is_chosen for trouble in found)
    return report(found, len(policies)), 200 if is_well else 503


def _admit_scraper(parts: WebParts) -> None:
    """Admit the metrics token or a key that may read the API; with a token set, nothing else."""
    token, offered = parts.settings.metrics_token, offered_key(request)
    if token is not None and is_same(offered, token):
        return
    if token is not None and not parts.settings.api_keys:
        reason = ApiRefusal.WRONG_KEY if offered else ApiRefusal.NO_KEY
        raise NotAdmitted(reason, 401, "unauthorized", "CALLGUARD_METRICS_TOKEN is set: send it as a bearer token")
    caller = caller_of(request, parts.settings.api_keys, parts.settings.public_url)
    if caller.role not in _READERS:
        raise wrong_role(caller, _READERS)


_PLAIN = "text/plain; charset=utf-8"


def _text(body: str, status: int = 200) -> Response:
    return Response(body, status, content_type=_PLAIN)


Answer = TypeVar("Answer")

KEPT_SECONDS = 1.0


class KeptAnswer(Generic[Answer]):
    """The answer of `find`, kept for `seconds` from the beginning of its reading.

    With `seconds` 0 nothing is kept: requests that come while a reading is under way share the next one.
    """

    def __init__(
        self,
        find: Callable[[], Answer],
        seconds: float = KEPT_SECONDS,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        """Nothing is read yet; `monotonic` gives seconds."""
        self._find = find
        self._seconds = seconds
        self._monotonic = monotonic
        self._lock = Lock()
        self._began = -math.inf
        self._answer: Answer | None = None

    def now(self) -> Answer:
        """Return the answer. An error of `find` is raised to the caller that ran it, and not kept."""
        asked = self._monotonic()
        with self._lock:
            answer = self._answer
            if answer is not None and asked - self._began < self._seconds:
                return answer
            began = self._monotonic()
            answer = self._find()
            self._began, self._answer = began, answer
            return answer
