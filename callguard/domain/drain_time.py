"""How long until the rate queue at Twilio is empty.

A call created now is dialled behind every slot that was taken before it, cancelled or not: Twilio keeps the
slot of a cancelled call (https://support.twilio.com/hc/en-us/articles/42388541794075). So the end of the queue
is one moment, the *horizon*, which each created call moves by one slot and which cancelling does not move.

Two horizons are kept. One counts the calls. The other is *quoted*: Twilio tells each new call how long it expects
it to wait (`queue_time`), which knows of slots that were taken before the guard looked, and of the account's real
CPS. The quoted one is believed until calls stay queued beyond what they were quoted.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from callguard.domain.calls import ListedCall

QUEUE_FULL_SECONDS = 86_400.0
"""Beyond so long a queue Twilio refuses new calls: https://www.twilio.com/docs/api/errors/22005"""

MAX_QUEUE_MS = 25 * 3_600_000
"""Twilio queues no call for longer than a day; an hour is for what we do not know."""

LATE_MS = 30_000
"""How late news of a created call without a quote may be before the call may have left the queue."""

OVERDUE_MS = 10_000
"""How long a call may still be listed as queued after its time: lists lag, and CPS is a mean."""


@dataclass(frozen=True, slots=True)
class Quote:
    """When Twilio expected the newest queued call to be dialled, in milliseconds of Unix time."""

    call_sid: str
    dialled_ms: int


def newest_quote(listed: Sequence[tuple[int, ListedCall]], now_ms: int) -> Quote | None:
    """Return the quote of the newest call of a list, oldest first with their creation; None if there is none.

    None too where the quotes cannot be true: calls are overdue by them, or several are all to be dialled at once.
    """
    if not listed:
        return None
    created_ms, newest = listed[-1]
    if newest.queue_ms is None or not 0 <= newest.queue_ms <= MAX_QUEUE_MS:
        return None
    if newest.queue_ms == 0 and len(listed) > 1:
        return None
    first_ms, oldest = listed[0]
    if first_ms + (oldest.queue_ms or 0) < now_ms - OVERDUE_MS:
        return None
    return Quote(newest.call_sid, created_ms + newest.queue_ms)


def may_have_left(created_ms: int, queue_ms: int | None, now_ms: int) -> bool:
    """Return whether a call whose news comes late may have left the queue already.

    By its quote, where it has one; else after `LATE_MS`.
    """
    if queue_ms is None:
        return created_ms < now_ms - LATE_MS
    return created_ms + queue_ms < now_ms - OVERDUE_MS


def horizon_after(horizon_ms: float, created_ms: int, cps: float) -> float:
    """Return the horizon after one more call, created at `created_ms`, at `cps` calls per second."""
    return max(horizon_ms, created_ms) + 1000 / cps


def horizon_at_least(horizon_ms: float, now_ms: int, depth: int, cps: float) -> float:
    """Return the horizon, moved on if it is too early for `depth` calls known to be queued now.

    This matters when the guard starts while calls are queued already.
    """
    return max(horizon_ms, now_ms + depth * 1000 / cps)


def drain_seconds(horizon_ms: float, now_ms: int) -> float:
    """Return the estimated seconds until a call created now would be dialled. Never negative."""
    return max(0.0, (horizon_ms - now_ms) / 1000)


def phantom_slots(horizon_ms: float, now_ms: int, depth: int, cps: float) -> int:
    """Return how many slots before the horizon belong to calls that are no longer queued."""
    return max(0, round(drain_seconds(horizon_ms, now_ms) * cps) - depth)


def seconds_until_full(drain: float, queued_rate: float, cps: float) -> float:
    """Return in how many seconds Twilio refuses new calls, if `queued_rate` calls come a second.

    Each call lengthens the queue by one slot, while time shortens it. Infinite if the queue does not grow.
    """
    if drain >= QUEUE_FULL_SECONDS:
        return 0.0
    growth = queued_rate / cps - 1
    return (QUEUE_FULL_SECONDS - drain) / growth if growth > 0 else math.inf
