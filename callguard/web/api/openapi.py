"""The OpenAPI document, made of the same table as the routes."""

import re
from collections.abc import Sequence
from typing import Any, Literal

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from callguard import __version__
from callguard.web.api.errors import Error
from callguard.web.api.routes import Route

_REF = "#/components/schemas/{model}"
_PARAMETER = re.compile("<([a-z_]+)>")
_REFUSALS = {
    400: "something in the request is wrong",
    401: "no key, or a wrong one",
    403: "the key's role may not do this; or there are no keys, and the request may be from elsewhere",
    404: "no such thing",
    409: "it cannot be done as things are; `code` says why",
    413: "the body is too large",
    415: "the body is not JSON",
    502: "Twilio refuses the guard's request",
    503: "Redis or Twilio does not answer; `Retry-After` says when to try again",
}
_DESCRIPTION = (
    "Keys are those of `CALLGUARD_API_KEY`, written `name:role:key` there and sent without name and role. Without "
    "any, the API answers this machine's own programs only, and nobody where `CALLGUARD_PUBLIC_URL` is public."
)

Schema = tuple[type[BaseModel], Literal["serialization", "validation"]]


def document(routes: Sequence[Route]) -> dict[str, Any]:
    """Return the document for these routes, as OpenAPI 3.1."""
    wanted: list[Schema] = [(Error, "serialization")]
    wanted += [(route.reply, "serialization") for route in routes if route.reply]
    wanted += [(route.body, "validation") for route in routes if route.body]
    refs, definitions = models_json_schema(list(dict.fromkeys(wanted)), ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for route in routes:
        paths.setdefault(openapi_path(route.path), {})[route.method.lower()] = _operation(route, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "CallGuard", "version": __version__, "description": _DESCRIPTION},
        "paths": paths,
        "components": {
            "schemas": definitions["$defs"],
            "securitySchemes": {
                "key": {"type": "apiKey", "in": "header", "name": "x-api-key"},
                "bearer": {"type": "http", "scheme": "bearer"},
            },
        },
    }


def openapi_path(path: str) -> str:
    """Return `/api/accounts/{sid}` for Flask's `/api/accounts/<sid>`."""
    return _PARAMETER.sub(r"{\1}", path)


def _operation(route: Route, refs: dict[Any, Any]) -> dict[str, Any]:
    statuses = (*route.refusals, *(() if route.is_open else (401, 403, 503)))
    good: Any = refs[route.reply, "serialization"] if route.reply else {"type": "object"}
    operation: dict[str, Any] = {
        "operationId": route.name,
        "summary": route.summary,
        "responses": {
            str(route.http_status): _response("done", good),
            **{str(s): _response(_REFUSALS[s], refs[Error, "serialization"]) for s in sorted(statuses)},
        },
        "security": [] if route.is_open else [{"key": []}, {"bearer": []}],
    }
    if not route.is_open:
        operation["description"] = f"Roles: {', '.join(role.value for role in route.roles)}."
    if names := _PARAMETER.findall(route.path):
        text = {"type": "string"}
        operation["parameters"] = [{"name": n, "in": "path", "required": True, "schema": text} for n in names]
    if route.body:
        content = {"application/json": {"schema": refs[route.body, "validation"]}}
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _response(description: str, schema: Any) -> dict[str, Any]:
    return {"description": description, "content": {"application/json": {"schema": schema}}}
