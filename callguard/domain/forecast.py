"""How many calls will still be dialled before a sweep is through."""

from callguard.domain.accounts import Snapshot


def will_be_dialled(remaining: int, cancelled_per_second: float, cps: float, dead_slots_ahead: float) -> float:
    """Return how many of `remaining` queued calls the dialler will reach before a sweep does, oldest first.

    The dialler takes `cps` slots a second from the queue's front, the first `dead_slots_ahead` of them dead; the
    sweep cancels `cancelled_per_second` calls behind those. A sweep that is faster than the dialler is never
    caught up. A slower one is, when the dialler has come through the dead slots; from then on it cancels just
    ahead of the dialler, which rings at the rest of its rate.
    """
    if cancelled_per_second >= cps or not remaining:
        return 0.0
    caught_up_after = dead_slots_ahead / (cps - cancelled_per_second)  # seconds
    then_left = remaining - cancelled_per_second * caught_up_after
    return max(0.0, then_left) * (1 - cancelled_per_second / cps)


def forecast(snapshot: Snapshot, cps: float, cancelled_rate: float) -> float:
    """Return how many calls of an open incident will still be dialled at the present rate of its sweep; else 0."""
    if not snapshot.state.has_open_incident:
        return 0.0
    return will_be_dialled(snapshot.cancellable, cancelled_rate, cps, snapshot.phantom_slots(cps))
