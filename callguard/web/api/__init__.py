"""`/api`: the requests of programs and people to the guard."""

import json
from collections.abc import Callable, Sequence
from typing import Any

from flask import Blueprint, Response, g, request

from callguard.config.api_keys import ApiKey
from callguard.web.api.access import NotAdmitted, admit
from callguard.web.api.error_answers import BASE_PATH, answer_errors_with_json
from callguard.web.api.openapi import document
from callguard.web.api.refusals import Refusals
from callguard.web.api.routes import Route


def api(routes: Sequence[Route], api_keys: Sequence[ApiKey], public_url: str, refusals: Refusals) -> Blueprint:
    """Return these routes, and that of the OpenAPI document, which is made from them.

    All answers are JSON. With keys configured each request needs one, except for the OpenAPI document. Without
    keys only this machine's own programs are answered, and nobody if the guard is public. Refused callers are
    noted in `refusals`.
    """
    blueprint = Blueprint("api", __name__)
    answer_errors_with_json(blueprint)
    for route in [*routes, _openapi(routes, public_url)]:
        blueprint.add_url_rule(
            route.path,
            route.name,
            route.view if route.is_open else _guarded(route, api_keys, public_url, refusals),
            methods=[route.method],
            provide_automatic_options=False,
        )

    @blueprint.after_request
    def forbid_caches(response: Response) -> Response:
        response.headers["Cache-Control"] = "no-store"
        return response

    return blueprint


def _guarded(
    route: Route, api_keys: Sequence[ApiKey], public_url: str, refusals: Refusals
) -> Callable[..., Response]:
    def view(**parameters: Any) -> Response:
        try:
            g.caller = admit(request, api_keys, route, public_url)
        except NotAdmitted as refused:
            refusals.note(refused.reason, request.remote_addr or "")
            raise
        return route.view(**parameters)

    return view


def _openapi(routes: Sequence[Route], public_url: str) -> Route:
    """Return the route of the document, which is about itself too."""

    def get_openapi() -> Response:
        return Response(text, content_type="application/json")

    route = Route(
        name="get_openapi",
        method="GET",
        path=f"{BASE_PATH}/openapi.json",
        tag="document",
        summary="This document.",
        view=get_openapi,
        reply=None,
        is_open=True,
    )
    text = json.dumps(document([*routes, route], public_url))
    return route
