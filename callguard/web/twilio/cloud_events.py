"""The JSON of Event Streams: a batch, an event's envelope, and the base of all its parts.

The envelope is a CloudEvent: https://github.com/cloudevents/spec/blob/v1.0.2/cloudevents/formats/json-format.md.
"""

import json
from typing import Annotated, Any, Literal, Self

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from callguard.errors import CallGuardError

MAX_EVENTS = 1_000

OTHER_ACCOUNT = "other_account"
"""The code of an event whose account is not the one that has signed it."""

TOO_MANY_EVENTS = "too_many_events"

Text = Annotated[str, StringConstraints(strict=True, max_length=2048, pattern=r"^[^\x00-\x1f\x7f]*$")]
"""A line of text; pydantic refuses halves of surrogate pairs, which JSON can write and UTF-8 cannot."""


class MalformedEvent(CallGuardError):
    """A signed event or batch that cannot be relied on. `code` is short, and holds nothing of the request."""

    def __init__(self, code: str) -> None:
        """Keep the code, such as `bad_call_sid`."""
        super().__init__(code)
        self.code = code


class EventPart(BaseModel):
    """An object within an event. Undeclared fields are ignored."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True, loc_by_alias=False)

    @classmethod
    def read(cls, given: Any) -> Self:
        """Return the part as a model.

        Raises:
            MalformedEvent: `missing_…` (null and an empty text too) or `bad_…` and the first such field's name.
        """
        try:
            return cls.model_validate(given)
        except ValidationError as error:
            raise MalformedEvent(_code(error)) from None


class Envelope(EventPart):
    """What every event has."""

    specversion: Literal["1.0"]
    type: Annotated[Text, StringConstraints(min_length=1)]


def read_batch(body: bytes) -> list[Any]:
    """Return the events as they came; a single object is a batch of one.

    Raises:
        MalformedEvent: `not_json`, `not_events` or `TOO_MANY_EVENTS`.
    """
    try:
        # Not by pydantic: one half of a surrogate pair in one event would spoil the whole batch.
        parsed = json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        raise MalformedEvent("not_json") from None
    batch = [parsed] if isinstance(parsed, dict) else parsed
    if not isinstance(batch, list):
        raise MalformedEvent("not_events")
    if len(batch) > MAX_EVENTS:
        raise MalformedEvent(TOO_MANY_EVENTS)
    return batch


def _code(error: ValidationError) -> str:
    first = error.errors(include_url=False, include_context=False)[0]
    if not first["loc"]:
        return "not_an_object"
    is_missing = first["type"] == "missing" or first["input"] is None or first["input"] == ""
    return f"{'missing' if is_missing else 'bad'}_{first['loc'][-1]}".rstrip("_")


def _refuse_constant(name: str) -> None:
    raise ValueError(name)  # NaN and infinities, which JSON does not have
