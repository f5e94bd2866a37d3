"""Made-up calls for tests."""

from callguard.domain.calls import CallEvent, CallStatus


def call_sid(number: int) -> str:
    """Return the call SID of a number."""
    return f"CA{number:032x}"


def queued(number: int, at_ms: int, *, spared: bool = False) -> CallEvent:
    """Return the news that a call was created."""
    return CallEvent(call_sid(number), CallStatus.QUEUED, at_ms, spared)


def event(number: int, status: CallStatus, at_ms: int, *, spared: bool = False) -> CallEvent:
    """Return news of a call."""
    return CallEvent(call_sid(number), status, at_ms, spared)
