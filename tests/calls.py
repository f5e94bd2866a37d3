"""Made-up calls for tests, and calls at a simulated Twilio."""

from typing import Any

from callguard.domain.calls import CallEvent, CallStatus
from callguard.simulator import RunawayPlan, RunningSimulator
from tests.waiting import wait_until


def call_sid(number: int) -> str:
    """Return the call SID of a number."""
    return f"CA{number:032x}"


def queued(number: int, at_ms: int, *, protected: bool = False) -> CallEvent:
    """Return the news that a call was created."""
    return CallEvent(call_sid(number), CallStatus.QUEUED, at_ms, protected)


def event(number: int, status: CallStatus, at_ms: int, *, protected: bool = False) -> CallEvent:
    """Return news of a call."""
    return CallEvent(call_sid(number), status, at_ms, protected)


def create_calls(twilio: RunningSimulator, account_sid: str, count: int, **plan: Any) -> None:
    """Create calls at a simulated Twilio, and wait until all are there; `plan` is as of a `RunawayPlan`."""
    wanted = twilio.account(account_sid).created + count
    twilio.start_runaway(account_sid, RunawayPlan(count, **plan))
    wait_until(lambda: twilio.account(account_sid).created == wanted, f"{count} calls are created")
