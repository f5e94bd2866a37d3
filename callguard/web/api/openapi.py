"""The OpenAPI document, made of the same table as the routes."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal
from urllib.parse import urlsplit

from pydantic import BaseModel
from pydantic.json_schema import models_json_schema

from callguard import __version__
from callguard.web.api import schemas
from callguard.web.api.error_answers import Error
from callguard.web.api.examples import ANSWERED, TAKEN
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
TAGS = {
    "accounts": "How the guarded accounts stand, and the gate.",
    "campaigns": "Many calls that a person has said will come.",
    "reports": "Calls that were created, reported by the programs that create them.",
    "calls": "One call, named by its SID.",
    "document": "What there is.",
}
_PATH = {"sid": schemas.ACCOUNT_SID, "call_sid": schemas.CALL_SID, "campaign_id": schemas.CAMPAIGN_ID}
_DESCRIPTION = (
    "Keys are those of `CALLGUARD_API_KEY`, written `name:role:key` there and sent without name and role. Without "
    "any, the API answers this machine's own programs only, and nobody where `CALLGUARD_PUBLIC_URL` is public."
)

Schema = tuple[type[BaseModel], Literal["serialization", "validation"]]


def document(routes: Sequence[Route], public_url: str = "") -> dict[str, Any]:
    """Return the document for these routes, as OpenAPI 3.1; of `public_url` only the path counts."""
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
        "servers": [{"url": urlsplit(public_url).path.rstrip("/") or "/", "description": "this guard"}],
        "tags": [{"name": name, "description": what} for name, what in TAGS.items()],
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
        "tags": [route.tag],
        "summary": route.summary,
        "responses": {
            str(route.http_status): {"description": "done", "content": _content(good, _answers(route.reply))},
            **{
                str(status): {
                    "description": _REFUSALS[status],
                    "content": _content(refs[Error, "serialization"], {}),
                }
                for status in sorted(statuses)
            },
        },
        "security": [] if route.is_open else [{"key": []}, {"bearer": []}],
    }
    if not route.is_open:
        operation["description"] = f"Roles: {', '.join(role.value for role in route.roles)}."
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": _PATH[name]}
        for name in _PARAMETER.findall(route.path)
    ]
    parameters += [
        {"name": name, "in": "query", "description": what, "schema": {"type": "boolean", "default": False}}
        for name, what in route.query.items()
    ]
    if parameters:
        operation["parameters"] = parameters
    if route.body:
        content = _content(refs[route.body, "validation"], TAKEN.get(route.body, {}))
        operation["requestBody"] = {"required": True, "content": content}
    return operation


def _answers(model: type[BaseModel] | None) -> dict[str, Any]:
    known = ANSWERED.get(model, {}) if model else {}
    return {name: reply.model_dump(mode="json", by_alias=True) for name, reply in known.items()}


def _content(schema: Any, examples: Mapping[str, Any]) -> dict[str, Any]:
    media: dict[str, Any] = {"schema": schema}
    if examples:
        media["examples"] = {name: {"value": value} for name, value in examples.items()}
    return {"application/json": media}
