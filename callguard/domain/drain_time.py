"""How long until the rate queue at Twilio is empty.

A call created now is dialled behind every slot that was taken before it, cancelled or not: Twilio keeps the
slot of a cancelled call (https://support.twilio.com/hc/en-us/articles/42388541794075). So the end of the queue
is one moment, the *horizon*, which each created call moves by one slot and which cancelling does not move.
"""


def horizon_after(horizon_ms: float, created_ms: int, cps: float) -> float:
    """Return the horizon after one more call, created at `created_ms`, at `cps` calls per second."""
    return max(horizon_ms, created_ms) + 1000 / cps


def horizon_at_least(horizon_ms: float, now_ms: int, depth: int, cps: float) -> float:
    """Return the horizon that is not too early for `depth` calls known to be queued now.

    It matters when the guard starts beside a queue that is already there.
    """
    return max(horizon_ms, now_ms + depth * 1000 / cps)


def drain_seconds(horizon_ms: float, now_ms: int) -> float:
    """Return the estimated seconds until a call created now would be dialled. Never negative."""
    return max(0.0, (horizon_ms - now_ms) / 1000)


def phantom_slots(horizon_ms: float, now_ms: int, depth: int, cps: float) -> int:
    """Return how many slots before the horizon belong to calls that are no longer queued."""
    return max(0, round(drain_seconds(horizon_ms, now_ms) * cps) - depth)
