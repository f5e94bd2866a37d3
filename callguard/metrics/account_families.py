"""The metrics of each account: some 25 series while it is calm, more while something goes on.

Series that alerts need always exist, counters from 0 on: one that appears with its first value shows no increase.
"""

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from prometheus_client.metrics_core import Metric as Family

from callguard.config.accounts import Account
from callguard.domain.calls import CallStatus
from callguard.domain.drain_time import seconds_until_full
from callguard.domain.forecast import forecast
from callguard.domain.holds import HoldReason, holds
from callguard.domain.incidents import LiveOutcome
from callguard.domain.readings import AccountReading
from callguard.domain.snapshot import Rule, Snapshot, State
from callguard.domain.tally import Outcome
from callguard.metrics.catalogue import Sample, family


@dataclass(frozen=True, slots=True)
class Shown:
    """An account and what was read of it."""

    account: Account
    reading: AccountReading

    @property
    def snapshot(self) -> Snapshot:
        """The account at the moment of the scrape."""
        return self.reading.snapshot

    @property
    def has_incident(self) -> bool:
        """Whether an incident is open."""
        return self.snapshot.state.has_open_incident

    @property
    def cps(self) -> float:
        """The CPS that the guard calculates with."""
        return self.snapshot.cps(self.account.policy)


_GAUGES: Mapping[str, Callable[[Shown], float]] = {
    "callguard_queue_depth": lambda a: a.snapshot.depth,
    "callguard_estimated_drain_seconds": lambda a: a.snapshot.drain_seconds,
    "callguard_phantom_slots": lambda a: a.snapshot.phantom_slots(a.cps),
    "callguard_new_call_dialled_timestamp_seconds": lambda a: a.snapshot.now_ms / 1000 + a.snapshot.drain_seconds,
    "callguard_seconds_until_queue_full": lambda a: seconds_until_full(
        a.snapshot.drain_seconds, a.reading.queued_rate, a.cps
    ),
    "callguard_announced_calls": lambda a: a.snapshot.announced,
    "callguard_queued_rate": lambda a: a.reading.queued_rate,
    "callguard_initiated_rate": lambda a: a.reading.initiated_rate,
    "callguard_capped": lambda a: a.snapshot.capped,
    "callguard_incident_open": lambda a: a.has_incident,
    "callguard_last_trip_timestamp_seconds": lambda a: a.reading.totals.get("tripped_at", 0) / 1000,
    "callguard_credentials_refused": lambda a: any(outage.is_denial for outage in a.reading.outages),
    "callguard_poll_age_seconds": lambda a: _age(a.snapshot.now_ms, a.snapshot.polled_ms),
    "callguard_last_callback_age_seconds": lambda a: _age(a.snapshot.now_ms, a.snapshot.called_back_ms),
    "callguard_state_lost_total": lambda a: a.reading.totals.get("state_lost", 0),
    "callguard_departed_calls_total": lambda a: a.snapshot.departed,
}

_WHILE_AN_INCIDENT_IS_OPEN: Mapping[str, Callable[[Shown], float]] = {
    "callguard_cancelled_rate": lambda a: a.reading.cancelled_rate,
    "callguard_forecast_dialled_calls": lambda a: (
        forecast(a.snapshot, a.account.policy, a.reading.cancelled_rate).dialled
    ),
    "callguard_remaining_calls": lambda a: a.snapshot.cancellable,
}


@dataclass(frozen=True, slots=True)
class _Counted:
    """A counter with a label of a closed set. `always` has the values that are there before anything counts."""

    prefix: str
    values: Sequence[str]
    always: Sequence[str] = ()


_RULES = tuple(rule.value for rule in Rule)

_COUNTERS: Mapping[str, _Counted] = {
    "callguard_calls_total": _Counted("calls", [status.value for status in CallStatus]),
    "callguard_trips_total": _Counted("trips", _RULES, always=_RULES),
    "callguard_warnings_total": _Counted("warnings", [rule for rule in _RULES if rule != Rule.MANUAL.value]),
    "callguard_cancellations_total": _Counted(
        "cancellations", [outcome.value for outcome in Outcome], always=(Outcome.CANCELLED.value,)
    ),
    "callguard_live_calls_total": _Counted("live", [outcome.value for outcome in LiveOutcome]),
}


def account_families(shown: Mapping[str, Shown]) -> Iterator[Family]:
    """Yield the families with an `account` label, of accounts by SID."""
    for name, value in _GAUGES.items():
        yield family(name, [((sid,), value(each)) for sid, each in shown.items()])
    for name, value in _WHILE_AN_INCIDENT_IS_OPEN.items():
        yield family(name, [((sid,), value(each)) for sid, each in shown.items() if each.has_incident])
    for name, counted in _COUNTERS.items():
        yield family(name, [sample for sid, each in shown.items() for sample in _counts(sid, each, counted)])
    yield family("callguard_cps", [sample for sid, each in shown.items() for sample in _cps(sid, each)])
    yield family("callguard_state", [sample for sid, each in shown.items() for sample in _states(sid, each)])
    yield family("callguard_hold", [sample for sid, each in shown.items() for sample in _holds(sid, each)])
    on_hold = [
        ((sid, name), size) for sid, each in shown.items() for name, size in each.reading.hold_queues.items()
    ]
    yield family("callguard_hold_queue_size", on_hold)


def _counts(sid: str, shown: Shown, counted: _Counted) -> Iterator[Sample]:
    totals = shown.reading.totals
    for value in counted.values:
        count = totals.get(f"{counted.prefix}:{value}", 0)
        if count or value in counted.always or shown.has_incident:
            yield (sid, value), count


def _cps(sid: str, shown: Shown) -> Iterator[Sample]:
    yield (sid, "configured"), shown.account.policy.cps
    if learned := shown.snapshot.throughput.learned:
        yield (sid, "learned"), learned


def _states(sid: str, shown: Shown) -> Iterator[Sample]:
    """Yield the states. While an incident is open every state has a series, so that its end shows as 0."""
    for state in State:
        if shown.reading.state is state or shown.has_incident:
            yield (sid, state.value), float(shown.reading.state is state)


def _holds(sid: str, shown: Shown) -> Iterator[Sample]:
    reasons = {hold.reason for hold in holds(shown.snapshot, shown.account.policy)}
    shows_all = shown.has_incident or reasons - {HoldReason.OBSERVING}
    for reason in HoldReason:
        if reason in reasons or shows_all:
            yield (sid, reason.value), float(reason in reasons)


def _age(now_ms: int, then_ms: int) -> float:
    return max(0.0, (now_ms - then_ms) / 1000) if then_ms else math.inf
