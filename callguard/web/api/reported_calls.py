"""Created calls as their creator reports them, in the words of Twilio's Call resource.

https://www.twilio.com/docs/voice/api/call-resource#call-properties
"""

import re
from typing import Annotated, Any, ClassVar, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ModelWrapValidatorHandler,
    ValidationInfo,
    WithJsonSchema,
    model_validator,
)

from callguard.domain.addresses import MAX_CHARACTERS, SHOWN
from callguard.domain.calls import CallEvent, CallStatus, is_in_rate_queue
from callguard.domain.drain_time import MAX_QUEUE_MS
from callguard.domain.parties import PartyHasher
from callguard.web.api import schemas
from callguard.web.api.json_bodies import now_of
from callguard.web.moments import MAX_AHEAD_MS, STALE_MS, QueueTime, Stale, counted_ms, unix_ms

MAX_CALLS = 1000

_STATUSES = {status.value: status for status in CallStatus}
_ADDRESS = f"as text of up to {MAX_CHARACTERS} characters, none of them a control character"
_SHOWN_TEXT = re.compile(rf"{SHOWN}{{0,{MAX_CHARACTERS}}}")


def _status(given: Any) -> CallStatus:
    if given is None:
        return CallStatus.QUEUED
    if not isinstance(given, str) or given not in _STATUSES:
        raise ValueError("should be a status of Twilio's")
    return _STATUSES[given]


def _created_ms(given: Any, info: ValidationInfo) -> int | None:
    """Twilio gives whole seconds, so for a call just created the arrival shows the order better."""
    if given is None or given == "":
        return None
    now_ms = now_of(info)
    created_ms = counted_ms(unix_ms(given) if isinstance(given, str) else 0, now_ms)
    if isinstance(created_ms, Stale):
        raise ValueError("should not be too long ago, nor ahead")
    return created_ms


def _age_ms(given: Any) -> int | None:
    if given is None:
        return None
    if type(given) is not int or not 0 <= given <= STALE_MS:
        raise ValueError("should be whole milliseconds")
    return given


def _text(given: Any) -> Any:
    """Any answer of Twilio's, as far as it is one line of text."""
    if isinstance(given, str) and not _SHOWN_TEXT.fullmatch(given):
        raise ValueError("should be text without control characters")
    return "" if given is None else given


_Address = Annotated[
    str,
    BeforeValidator(_text),
    WithJsonSchema(schemas.LINE),
]


class ReportedCall(BaseModel):
    """A created call. Fields that are not here may be sent too; they are not looked at."""

    model_config = ConfigDict(extra="ignore", hide_input_in_errors=True)

    sid: Annotated[
        str,
        Field(pattern="^CA[0-9a-f]{32}$", description="CA and 32 lower-case hex digits"),
        WithJsonSchema(schemas.CALL_SID),
    ]
    account_sid: Annotated[
        str,
        Field(pattern="^AC[0-9a-f]{32}$", description="AC and 32 lower-case hex digits"),
        WithJsonSchema(schemas.ACCOUNT_SID),
    ]
    status: Annotated[
        CallStatus,
        BeforeValidator(_status),
        WithJsonSchema({"enum": [*_STATUSES, None]}),
        Field(
            description=f"the status when the call was created, one of {', '.join(_STATUSES)}; queued if missing"
        ),
    ] = CallStatus.QUEUED
    created_ms: Annotated[
        int | None,
        BeforeValidator(_created_ms),
        WithJsonSchema(schemas.MOMENT_OF_TWILIO),
        Field(
            alias="date_created",
            description="when the call was created, in RFC 2822 or in ISO 8601 with a zone: not more than "
            f"{STALE_MS // 3_600_000} h ago and not more than {MAX_AHEAD_MS // 60_000} min ahead; now if missing",
        ),
    ] = None
    age_ms: Annotated[
        int | None,
        BeforeValidator(_age_ms),
        WithJsonSchema({"type": ["integer", "null"], "minimum": 0, "maximum": STALE_MS}),
        Field(
            description=f"how long ago the call was created, in whole milliseconds from 0 to {STALE_MS}; it goes "
            "before date_created, and needs no clocks that agree",
        ),
    ] = None
    queue_ms: Annotated[
        QueueTime,
        WithJsonSchema(schemas.QUEUE_TIME),
        Field(
            alias="queue_time",
            description=f"the expected wait: whole milliseconds from 0 to {MAX_QUEUE_MS}, or null",
        ),
    ] = None
    from_number: Annotated[_Address, Field(alias="from", description=f"From, {_ADDRESS}")] = ""
    to_number: Annotated[_Address, Field(alias="to", description=f"To, {_ADDRESS}")] = ""
    direction: Annotated[
        Any, Field(description="counted is only outbound-api, which is meant if it is missing")
    ] = None
    parent_call_sid: Annotated[Any, Field(description="a call with a parent is not counted")] = None
    is_counted: ClassVar[bool] = True

    @model_validator(mode="wrap")
    @classmethod
    def _look_at_relevance_first(cls, given: Any, read: ModelWrapValidatorHandler[Self]) -> "ReportedCall":
        """Skip the checks of calls that do not count."""
        if isinstance(given, dict) and not is_in_rate_queue(given.get("direction"), given.get("parent_call_sid")):
            return OtherCall.model_construct()
        return read(given)

    def event(self, hasher: PartyHasher, now_ms: int) -> CallEvent:
        """Return the news: that the call has entered the queue.

        Only Twilio is believed that a call has left: a report may only raise doubt whether it still waits.
        """
        return hasher.of(self.from_number, self.to_number).event(
            self.sid,
            CallStatus.QUEUED,
            self._created_at(now_ms),
            self.queue_ms,
            doubtful=self.status is not CallStatus.QUEUED,
        )

    def _created_at(self, now_ms: int) -> int:
        if self.age_ms is not None:
            return now_ms - self.age_ms
        return now_ms if self.created_ms is None else self.created_ms


class OtherCall(ReportedCall):
    """A call that does not wait in the rate queue: nothing else of it is looked at."""

    is_counted: ClassVar[bool] = False


class CreatedCalls(BaseModel):
    """A batch of created calls."""

    calls: Annotated[
        list[ReportedCall],
        Field(min_length=1, max_length=MAX_CALLS, description=f"a list of 1 to {MAX_CALLS} created calls"),
    ]


class ReportOutcome(BaseModel):
    """What became of a batch."""

    counted: Annotated[int, Field(description="calls that were news")]
    duplicates: Annotated[int, Field(description="calls that were known before")]
    ignored: Annotated[
        int,
        Field(
            exclude_if=lambda count: not count,
            description="calls that do not count, if any: another direction than outbound-api, or a parent",
        ),
    ] = 0
