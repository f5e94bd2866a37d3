"""What the thresholds in force will do to ordinary traffic, in one sentence."""

import math

from callguard.domain.policy import Mode, Policy, Unqueued


def smallest_batch_told(policy: Policy) -> int:
    """Return how many calls, created at once, cross a rule: an incident opens."""
    return 1 + math.floor(min(policy.spike_burst, *_ceilings(policy)))


def smallest_batch_cancelled(policy: Policy) -> int:
    """Return how many calls, created at once, are cancelled as far as they wait.

    That takes a crossed rule and `min_backlog` calls in the queue, after the second's worth that Twilio has
    dialled by the time they are seen.
    """
    return max(smallest_batch_told(policy), policy.min_backlog + math.ceil(policy.cps))


def in_words(policy: Policy) -> str:
    """Return what comes of a batch, such as `A batch of 66 calls at once is cancelled ...`."""
    told, cancelled = smallest_batch_told(policy), smallest_batch_cancelled(policy)
    is_done = "is cancelled" if policy.mode is Mode.ENFORCE else "would be cancelled (mode observe: nothing is)"
    repeats = f"{policy.repeat_limit} calls to one telephone within {_span(policy.repeat_window_seconds)}"
    sentence = f"A batch of {cancelled:,} calls at once {is_done}, and so is what waits after {repeats}"
    if told < cancelled and policy.unqueued is not Unqueued.IGNORE:
        sentence += f"; from {told:,} calls on an incident opens and people are told"
    return sentence


def _ceilings(policy: Policy) -> tuple[float, float]:
    """Return the queued calls that the two ceilings of the backlog come to."""
    return policy.max_backlog, policy.max_drain_seconds * policy.cps


def _span(seconds: int) -> str:
    return f"{seconds // 60} minutes" if seconds % 60 == 0 and seconds >= 120 else f"{seconds} s"
