"""Every metric: name, kind, labels, help. Labels come from closed sets; no number and no call SID is one."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from enum import Enum

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.samples import Sample as Made


class Kind(Enum):
    """Prometheus' metric types."""

    GAUGE = "gauge"
    COUNTER = "counter"
    HISTOGRAM = "histogram"


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric's declaration. `name` is as scraped, with `_total` for counters; `there` says when it is."""

    name: str
    kind: Kind
    help: str
    labels: tuple[str, ...] = ()
    there: str = "always"


_ACCOUNT = ("account",)

_IN_INCIDENT = "while an incident is open"
_COUNTED = "each value once it has counted; all while an incident is open"

CATALOGUE = {
    metric.name: metric
    for metric in (
        Metric("callguard_queue_depth", Kind.GAUGE, "How many calls are queued at Twilio.", _ACCOUNT),
        Metric(
            "callguard_estimated_drain_seconds",
            Kind.GAUGE,
            "How many seconds until a call created now would be dialled. Time lowers it, cancelling does not.",
            _ACCOUNT,
        ),
        Metric(
            "callguard_phantom_slots",
            Kind.GAUGE,
            "How many slots of the rate queue are held by calls that are no longer queued.",
            _ACCOUNT,
        ),
        Metric(
            "callguard_new_call_dialled_timestamp_seconds",
            Kind.GAUGE,
            "When a call that is created now would be dialled, in seconds of Unix time.",
            _ACCOUNT,
        ),
        Metric(
            "callguard_seconds_until_queue_full",
            Kind.GAUGE,
            "How many seconds until Twilio refuses new calls (error 22005), as the queue grows now; else +Inf.",
            _ACCOUNT,
        ),
        Metric(
            "callguard_cps",
            Kind.GAUGE,
            "How many calls per second Twilio dials: configured, and learned once there is enough to learn from.",
            ("account", "source"),
            there="`configured` always; `learned` once it is known",
        ),
        Metric(
            "callguard_announced_calls",
            Kind.GAUGE,
            "How many queued calls belong to announced campaigns.",
            _ACCOUNT,
        ),
        Metric(
            "callguard_calls_total",
            Kind.COUNTER,
            "How many calls have reached a status; each call counts once in each.",
            ("account", "status"),
            there=_COUNTED,
        ),
        Metric(
            "callguard_queued_rate",
            Kind.GAUGE,
            "How many calls per second enter the queue, over 10 s.",
            _ACCOUNT,
        ),
        Metric(
            "callguard_initiated_rate",
            Kind.GAUGE,
            "How many calls per second leave the queue for the dialler, over 10 s.",
            _ACCOUNT,
        ),
        Metric(
            "callguard_cancelled_rate",
            Kind.GAUGE,
            "How many calls per second the sweep of an open incident cancels, over 4 s.",
            _ACCOUNT,
            there=_IN_INCIDENT,
        ),
        Metric(
            "callguard_forecast_dialled_calls",
            Kind.GAUGE,
            "How many queued calls will still be dialled while an incident is open: those that its sweep will not "
            "reach at its present rate, and all that it leaves alone.",
            _ACCOUNT,
            there=_IN_INCIDENT,
        ),
        Metric(
            "callguard_capped",
            Kind.GAUGE,
            "How many drains have stopped at max_cancellations and wait for a person: 1 or 0.",
            _ACCOUNT,
        ),
        Metric(
            "callguard_hold",
            Kind.GAUGE,
            "How many accounts are held back, beside their state: paused, capped, waits_for_reset, observing or "
            "state_lost: 1 or 0.",
            ("account", "reason"),
            there="`observing` while it does; all five while an incident is open or anything else holds it back",
        ),
        Metric(
            "callguard_state_lost_total",
            Kind.COUNTER,
            "How many times Redis was found to have lost what people had decided.",
            _ACCOUNT,
        ),
        Metric(
            "callguard_state",
            Kind.GAUGE,
            "How many accounts are in a state: 1 or 0.",
            ("account", "state"),
            there="the state that it is in; all six while an incident is open",
        ),
        Metric(
            "callguard_incident_open",
            Kind.GAUGE,
            "How many incidents are open, be it cooling, paused or without a queue: 1 or 0.",
            _ACCOUNT,
        ),
        Metric(
            "callguard_last_trip_timestamp_seconds",
            Kind.GAUGE,
            "When the guard last tripped, in seconds of Unix time; 0 for never.",
            _ACCOUNT,
        ),
        Metric(
            "callguard_remaining_calls",
            Kind.GAUGE,
            "How many queued calls of an open incident are still to be cancelled.",
            _ACCOUNT,
            there=_IN_INCIDENT,
        ),
        Metric(
            "callguard_credentials_refused",
            Kind.GAUGE,
            "How many accounts have credentials that Twilio refuses, for the list or for cancels: 1 or 0.",
            _ACCOUNT,
        ),
        Metric(
            "callguard_departed_calls_total",
            Kind.COUNTER,
            "How many calls have left the queue for the dialler, with a callback or without one.",
            _ACCOUNT,
        ),
        Metric("callguard_trips_total", Kind.COUNTER, "How many times a rule has tripped.", ("account", "rule")),
        Metric(
            "callguard_warnings_total",
            Kind.COUNTER,
            "How many warnings a rule has given; one in ten minutes at most.",
            ("account", "rule"),
            there=_COUNTED,
        ),
        Metric(
            "callguard_reports_total",
            Kind.COUNTER,
            "How many created calls were reported, by source and result.",
            ("source", "result"),
        ),
        Metric(
            "callguard_cancellations_total",
            Kind.COUNTER,
            "How many calls of incidents have ended in an outcome.",
            ("account", "outcome"),
            there="`cancelled` always; the others once they have counted, and while an incident is open",
        ),
        Metric(
            "callguard_live_calls_total",
            Kind.COUNTER,
            "How many live calls of runaways were acted on, where `live_calls` says so; no part of cancellations.",
            ("account", "action"),
            there=_COUNTED,
        ),
        Metric(
            "callguard_hold_queue_size",
            Kind.GAUGE,
            "How many callers are on hold in one of Twilio's hold queues (`<Enqueue>`); not the rate queue.",
            ("account", "queue"),
            there="with `hold_queues`",
        ),
        Metric(
            "callguard_api_refused_total",
            Kind.COUNTER,
            "How many requests to `/api` or `/metrics` were not let in.",
            ("reason",),
        ),
        Metric(
            "callguard_callbacks_total",
            Kind.COUNTER,
            "How many callbacks of configured accounts had a result.",
            ("result",),
        ),
        Metric(
            "callguard_detection_delay_seconds",
            Kind.HISTOGRAM,
            "How many seconds passed from the onset of what tripped the guard to the trip.",
        ),
        Metric(
            "callguard_cancel_duration_seconds",
            Kind.HISTOGRAM,
            "How many seconds passed from a trip to the end of its first drain.",
        ),
        Metric(
            "callguard_poll_age_seconds",
            Kind.GAUGE,
            "How many seconds ago Twilio's queue was last read whole; +Inf for never.",
            _ACCOUNT,
        ),
        Metric(
            "callguard_last_callback_age_seconds",
            Kind.GAUGE,
            "How many seconds ago the last valid callback came; +Inf for never.",
            _ACCOUNT,
        ),
        Metric(
            "callguard_heartbeat_age_seconds",
            Kind.GAUGE,
            "How many seconds ago a kind of process last gave a sign of life; +Inf for never.",
            ("process",),
        ),
        Metric(
            "callguard_notices_total",
            Kind.COUNTER,
            "How many notices were delivered, given up after a day, or dropped untold; and how many tries failed.",
            ("result",),
        ),
        Metric(
            "callguard_oldest_notice_age_seconds",
            Kind.GAUGE,
            "How many seconds the oldest notice has waited to be delivered; 0 while none waits.",
        ),
        Metric(
            "callguard_processes",
            Kind.GAUGE,
            "How many processes of a kind have given a sign of life in 30 s.",
            ("process",),
        ),
        Metric(
            "callguard_processes_differing",
            Kind.GAUGE,
            "How many of them run another version, or with other settings, than the web process that answers.",
            ("process", "what"),
        ),
        Metric("callguard_build_info", Kind.GAUGE, "How many CallGuards of a version answer: 1.", ("version",)),
        Metric("callguard_jobs", Kind.GAUGE, "How many wake-ups are in a state.", ("queue", "state")),
        Metric(
            "callguard_redis_up",
            Kind.GAUGE,
            "How many Redis servers took a write at this scrape, as a callback needs it: 1 or 0.",
        ),
    )
}


Sample = tuple[Sequence[str], float]
"""A sample: the values of its labels, and its own value."""


def family(name: str, samples: Iterable[Sample]) -> Family:
    """Return a counter or a gauge of the catalogue."""
    metric = CATALOGUE[name]
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    made = kind(name, metric.help, labels=metric.labels)
    # Does what `add_metric` does in a third of the time.
    made.samples = [Made(name, dict(zip(metric.labels, labels, strict=True)), value) for labels, value in samples]
    return made
