"""JSON bodies, checked by a model."""

from collections.abc import Mapping
from functools import cache
from typing import Any, TypeVar, get_args

from flask import Request
from pydantic import BaseModel, ValidationError, ValidationInfo
from pydantic_core import from_json
from werkzeug.exceptions import RequestEntityTooLarge

from callguard.errors import CallGuardError
from callguard.web.api.error_answers import MAX_PROBLEMS, Problem, Refused
from callguard.web.bodies import read_body

Body = TypeVar("Body", bound=BaseModel)


class BadBody(CallGuardError):
    """JSON that is not what the route takes, and what is wrong with it."""

    def __init__(self, problems: list[Problem]) -> None:
        """Keep the problems."""
        super().__init__()
        self.problems = problems


def read_json(request: Request, most_bytes: int) -> Any:
    """Return the JSON of a request.

    Raises:
        Refused: 415 unless it is declared as JSON (which a web page of another site cannot do unasked), 413 for
            more than `most_bytes`, 400 `bad_json`.
    """
    if request.mimetype != "application/json":
        raise Refused(415, "unsupported_media_type", "send JSON, with Content-Type: application/json")
    try:
        return from_json(read_body(request, most_bytes), allow_inf_nan=False)
    except RequestEntityTooLarge:
        message = f"the body may have {most_bytes:,} bytes at most; send it in parts"
        raise Refused(413, "too_large", message) from None
    except ValueError:
        raise Refused(400, "bad_json", "the body is not JSON in UTF-8; check its quotes and commas") from None


def checked(model: type[Body], value: Any, now_ms: int) -> Body:
    """Return `value` as the model has it; validators find `now_ms` (Unix time) in their context.

    Raises:
        BadBody: names the fields that are wrong.
    """
    try:
        return model.model_validate(value, context={"now_ms": now_ms})
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False, include_input=False)
        raise BadBody([_problem(detail["loc"], model) for detail in found[:MAX_PROBLEMS]]) from None


def now_of(info: ValidationInfo) -> int:
    """Return the present for a validator, in milliseconds of Unix time."""
    context: Mapping[str, int] = info.context or {}
    return context["now_ms"]


def _problem(place: tuple[int | str, ...], model: type[BaseModel]) -> Problem:
    """Return a field's problem. Its message is the field's description, so it shows no value of the request."""
    described = _descriptions(model)
    index = next((step for step in place if isinstance(step, int)), None)
    name = place[-1] if place else None
    if isinstance(name, str) and name in described:
        return Problem(index=index, field=name, message=f"should be {described[name]}")
    if isinstance(name, str):
        return Problem(index=index, message=f"should have no other fields than {', '.join(described)}")
    return Problem(index=index, message="should be a JSON object")


@cache
def _descriptions(model: type[BaseModel]) -> dict[str, str]:
    """Return what each field should be, by its name in JSON, also of the model's list entries."""
    described = {field.alias or name: field.description or "" for name, field in model.model_fields.items()}
    for field in model.model_fields.values():
        for inner in get_args(field.annotation):
            if isinstance(inner, type) and issubclass(inner, BaseModel):
                described |= _descriptions(inner)
    return described
