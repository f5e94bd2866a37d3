"""Refusals as JSON: `{"code": …, "message": …}`. The message says what to do instead."""

import json
from collections.abc import Iterable, Mapping
from typing import Annotated

from flask import Blueprint, Response, request
from pydantic import BaseModel, Field
from werkzeug.exceptions import HTTPException

from callguard.errors import CallGuardError, StoreUnavailable

BASE_PATH = "/api"
MAX_PROBLEMS = 20
"""The most problems listed in an answer."""


class Problem(BaseModel):
    """What is wrong with one field of a request. Nothing in it is the request's own."""

    index: Annotated[int | None, Field(description="the place of the entry in its list, from 0")] = None
    field: Annotated[str | None, Field(description="the field's name; null for the entry as a whole")] = None
    message: Annotated[str, Field(description="what should be there")]


class Error(BaseModel):
    """Why a request was refused."""

    code: Annotated[str, Field(description="short and fixed, for programs")]
    message: Annotated[str, Field(description="what is wrong and what to do instead, for people")]
    errors: Annotated[list[Problem], Field(description=f"at most {MAX_PROBLEMS}", max_length=MAX_PROBLEMS)] = []


class Refused(CallGuardError):
    """Ends a request with an `Error`."""

    def __init__(
        self,
        http_status: int,
        code: str,
        message: str,
        problems: Iterable[Problem] = (),
        headers: Mapping[str, str] | None = None,
    ) -> None:
        """Keep what the answer will hold; `message` and `problems` must contain nothing from the request."""
        super().__init__(message)
        listed = list(problems)[:MAX_PROBLEMS]
        self.http_status = http_status
        self.error = Error(code=code, message=message, errors=listed)
        self.headers = headers or {}


_MESSAGES = {
    400: ("bad_request", "the request broke off or is malformed; send it again"),
    404: ("not_found", "nothing is here; /api/openapi.json lists what there is"),
    405: ("method_not_allowed", "this path has other methods: see the Allow header and /api/openapi.json"),
    413: ("too_large", "the body is too large; send it in parts"),
    500: ("internal_error", "the guard has failed at this request; its log says why"),
}


def answer_errors_with_json(blueprint: Blueprint) -> None:
    """Answer every error below `/api` with JSON, also where no route was found, and all others in plain text."""
    blueprint.register_error_handler(Refused, _refused)
    blueprint.register_error_handler(StoreUnavailable, _unavailable)
    blueprint.app_errorhandler(HTTPException)(_http_error)


def _refused(refused: Refused) -> Response:
    body = refused.error.model_dump_json(exclude_defaults=True)
    return Response(body, refused.http_status, refused.headers, content_type="application/json")


def _unavailable(_: StoreUnavailable) -> Response:
    return _refused(unavailable("Redis did not answer in time; try again"))


def unavailable(message: str) -> Refused:
    """Return the refusal for a Redis that does not answer."""
    return Refused(503, "unavailable", message, headers={"Retry-After": "1"})


def _http_error(error: HTTPException) -> Response | HTTPException:
    # Not its description: that may repeat the request.
    status = error.code or 500
    if status < 400:  # a redirect
        return error
    if f"{request.path}/".startswith(f"{BASE_PATH}/"):
        code, message = _MESSAGES.get(
            status, (error.name.lower().replace(" ", "_"), f"{error.name}; see {BASE_PATH}")
        )
        answer = Response(json.dumps({"code": code, "message": message}), status, content_type="application/json")
    else:
        answer = Response(f"{error.name}\n", status, content_type="text/plain; charset=utf-8")
    for name, value in error.get_headers(request.environ):
        if name.lower() != "content-type":
            answer.headers[name] = value
    return answer
