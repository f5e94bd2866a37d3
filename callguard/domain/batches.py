"""Describes thresholds by the smallest batch of calls that they will cancel.

The figures come from playing batches through the rules themselves, so they hold for any policy.
"""

import math
from array import array
from functools import lru_cache

from callguard.domain.backtest import Backtest
from callguard.domain.history import NO_DESTINATION, History
from callguard.domain.policy import Mode, Policy

MAX_BATCH = 50_000
_BEGIN_MS = 1_000_000_000_000
_ONE_DESTINATION = 1


def batch(calls: int, cps: float, destination: int = NO_DESTINATION) -> History:
    """Return `calls` calls that are created evenly within one second and dialled at `cps`."""
    created = array("q", (_BEGIN_MS + place * 1000 // calls for place in range(calls)))
    left, free_ms = array("q"), 0.0
    for at_ms in created:
        dialled_ms = max(float(at_ms), free_ms)
        free_ms = dialled_ms + 1000 / cps
        left.append(int(dialled_ms))
    destinations = array("q", [destination] * calls)
    return History(created, left, bytearray([1]) * calls, bytearray(calls), destinations, array("q", range(calls)))


def is_cancelled(policy: Policy, calls: int, *, to_one_number: bool = False) -> bool:
    """Return whether a batch of `calls` on an account at rest leads to a cancel."""
    if calls < 1:
        return False
    played = batch(calls, policy.cps, _ONE_DESTINATION if to_one_number else NO_DESTINATION)
    return bool(Backtest(played, policy).run())


@lru_cache(maxsize=256)
def least_cancelled(policy: Policy, *, to_one_number: bool = False) -> int | None:
    """Return the smallest batch within one second that is cancelled; None if none of up to `MAX_BATCH` is."""
    likely = math.ceil(policy.spike_burst + policy.spike_rate)
    if to_one_number:
        likely = max(policy.repeat_limit, policy.min_backlog + 1)
    least, most = 0, min(likely, MAX_BATCH)
    while not is_cancelled(policy, most, to_one_number=to_one_number):
        if most == MAX_BATCH:
            return None
        least, most = most, min(MAX_BATCH, most + max(1, most - least))
    if least == 0 and not is_cancelled(policy, most - 1, to_one_number=to_one_number):
        return most
    while most - least > 1:
        middle = (least + most) // 2
        if is_cancelled(policy, middle, to_one_number=to_one_number):
            most = middle
        else:
            least = middle
    return most


def will_cancel(policy: Policy) -> str:
    """Return in words which batch the guard will cancel; in observe mode, which it would."""
    verb = "would be cancelled (mode is observe)" if policy.mode is Mode.OBSERVE else "will be cancelled"
    many, to_one = least_cancelled(policy), least_cancelled(policy, to_one_number=True)
    if many is None:
        return f"No batch of up to {MAX_BATCH:,} calls at once {verb}."
    told = f"A batch of {many:,} calls at once {verb}"
    if to_one is not None and to_one < many:
        told += f"; so {'would' if policy.mode is Mode.OBSERVE else 'will'} {to_one:,} calls to one number at once"
    window = policy.repeat_window_seconds
    span = f"{window // 60} minutes" if window % 60 == 0 and window > 60 else f"{window} seconds"
    return (
        f"{told}. {policy.repeat_limit:,} calls to one number within {span} open an incident, and cancel while "
        f"{policy.min_backlog:,} or more calls are queued."
    )
