"""The collector: asks Redis once a scrape."""

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector

from callguard.config.accounts import Account
from callguard.domain.accounts import Rule, State
from callguard.domain.calls import CallStatus
from callguard.domain.drain_time import seconds_until_full
from callguard.domain.forecast import forecast
from callguard.domain.histograms import CANCEL_DURATION, DETECTION_DELAY, Histogram
from callguard.domain.holds import HoldReason, holds
from callguard.domain.incidents import LiveOutcome, Outcome
from callguard.domain.processes import VERSION, Fingerprint, RunningProcess
from callguard.domain.results import ApiRefusal, CallbackResult, NoticeResult, ReportResult, ReportSource
from callguard.metrics.catalogue import CATALOGUE, Kind
from callguard.ports import (
    AccountReading,
    ApiRefusals,
    CallGuardError,
    Clock,
    JobCounts,
    OutboxFacts,
    OutboxReadings,
    Presence,
    Readings,
)

_log = logging.getLogger(__name__)

PROCESSES = ("watcher", "cancel-worker")
"""Without these nobody guards."""

KINDS = (*PROCESSES, "web")

Sample = tuple[Sequence[str], float]


class GuardCollector(Collector):
    """Yields every metric of the catalogue; with Redis away, `callguard_redis_up 0` and nothing else."""

    def __init__(
        self,
        accounts: Mapping[str, Account],
        readings: Readings,
        heartbeats: Presence,
        jobs: JobCounts,
        clock: Clock,
        queue_name: str,
        outbox: OutboxReadings,
        fingerprint: Callable[[], Fingerprint],
        refusals: ApiRefusals,
    ) -> None:
        """Keep the ports; nothing is read before a scrape."""
        self._accounts = accounts
        self._readings = readings
        self._heartbeats = heartbeats
        self._jobs = jobs
        self._clock = clock
        self._queue_name = queue_name
        self._outbox = outbox
        self._fingerprint = fingerprint
        self._refusals = refusals

    def describe(self) -> Iterable[Family]:
        """Return nothing: registering must not ask Redis."""
        return []

    def collect(self) -> Iterator[Family]:
        """Read Redis and yield the families."""
        now_ms = self._clock.now_ms()
        try:
            read = {
                sid: self._readings.read(sid, account.policy, now_ms) for sid, account in self._accounts.items()
            }
            beats = self._heartbeats.ages(now_ms)
            running = self._heartbeats.processes(now_ms)
            jobs = self._jobs.counts()
            outbox = self._outbox.facts()
            refused = self._refusals.totals()
        except CallGuardError as error:
            _log.warning("metrics: %s", error)
            yield _family("callguard_redis_up", [((), 0)])
            return
        yield _family("callguard_redis_up", [((), 1)])
        yield from self._account_gauges(read)
        yield from _account_counters(read)
        yield from _running_families(running, self._fingerprint())
        yield from _process_families(read.values(), beats, jobs, self._queue_name)
        yield from _notice_families(outbox, now_ms)
        reasons = [((reason.value,), refused.get(reason.value, 0)) for reason in ApiRefusal]
        yield _family("callguard_api_refused_total", reasons)

    def _account_gauges(self, read: Mapping[str, AccountReading]) -> Iterator[Family]:
        shots = {sid: reading.snapshot for sid, reading in read.items()}
        configured = {sid: account.policy.cps for sid, account in self._accounts.items()}
        learned = {sid: shot.throughput.learned for sid, shot in shots.items() if shot.throughput.learned}
        cps = {sid: shot.cps(self._accounts[sid].policy) for sid, shot in shots.items()}
        gauges: dict[str, Mapping[str, float]] = {
            "callguard_queue_depth": {sid: shot.depth for sid, shot in shots.items()},
            "callguard_estimated_drain_seconds": {sid: shot.drain_seconds for sid, shot in shots.items()},
            "callguard_phantom_slots": {sid: shot.phantom_slots(cps[sid]) for sid, shot in shots.items()},
            "callguard_new_call_dialled_timestamp_seconds": {
                sid: shot.now_ms / 1000 + shot.drain_seconds for sid, shot in shots.items()
            },
            "callguard_seconds_until_queue_full": {
                sid: seconds_until_full(shots[sid].drain_seconds, reading.queued_rate, cps[sid])
                for sid, reading in read.items()
            },
            "callguard_announced_calls": {sid: shot.announced for sid, shot in shots.items()},
            "callguard_queued_rate": {sid: reading.queued_rate for sid, reading in read.items()},
            "callguard_initiated_rate": {sid: reading.initiated_rate for sid, reading in read.items()},
            "callguard_capped": {sid: float(shot.capped) for sid, shot in shots.items()},
            "callguard_cancelled_rate": {sid: reading.cancelled_rate for sid, reading in read.items()},
            "callguard_forecast_dialled_calls": {
                sid: forecast(shots[sid], self._accounts[sid].policy, reading.cancelled_rate).dialled
                for sid, reading in read.items()
            },
            "callguard_incident_open": {sid: float(shot.state.has_open_incident) for sid, shot in shots.items()},
            "callguard_last_trip_timestamp_seconds": {
                sid: reading.totals.get("tripped_at", 0) / 1000 for sid, reading in read.items()
            },
            "callguard_remaining_calls": {
                sid: shot.cancellable if shot.state.has_open_incident else 0 for sid, shot in shots.items()
            },
            "callguard_credentials_refused": {
                sid: float(any(outage.is_denial for outage in reading.outages)) for sid, reading in read.items()
            },
            "callguard_poll_age_seconds": {sid: _age(s.now_ms, s.polled_ms) for sid, s in shots.items()},
            "callguard_last_callback_age_seconds": {
                sid: _age(shot.now_ms, shot.called_back_ms) for sid, shot in shots.items()
            },
        }
        for name, values in gauges.items():
            yield _family(name, [((sid,), value) for sid, value in values.items()])
        yield _family(
            "callguard_hold_queue_size",
            [((sid, name), size) for sid, reading in read.items() for name, size in reading.hold_queues.items()],
        )
        sources = {"configured": configured, "learned": learned}
        yield _family(
            "callguard_cps",
            [((sid, source), value) for source, values in sources.items() for sid, value in values.items()],
        )
        yield _family(
            "callguard_state",
            [((sid, s.value), float(reading.state is s)) for sid, reading in read.items() for s in State],
        )
        held = {sid: {h.reason for h in holds(shot, self._accounts[sid].policy)} for sid, shot in shots.items()}
        yield _family(
            "callguard_hold",
            [((sid, r.value), float(r in reasons)) for sid, reasons in held.items() for r in HoldReason],
        )
        yield _family(
            "callguard_state_lost_total",
            [((sid,), reading.totals.get("state_lost", 0)) for sid, reading in read.items()],
        )


def _account_counters(read: Mapping[str, AccountReading]) -> Iterator[Family]:
    counters: dict[str, tuple[str, list[str]]] = {
        "callguard_calls_total": ("calls", [status.value for status in CallStatus]),
        "callguard_trips_total": ("trips", [rule.value for rule in Rule]),
        "callguard_warnings_total": ("warnings", [rule.value for rule in Rule if rule is not Rule.MANUAL]),
        "callguard_cancellations_total": ("cancellations", [outcome.value for outcome in Outcome]),
        "callguard_live_calls_total": ("live", [outcome.value for outcome in LiveOutcome]),
    }
    for name, (prefix, values) in counters.items():
        yield _family(
            name,
            [
                ((sid, value), reading.totals.get(f"{prefix}:{value}", 0))
                for sid, reading in read.items()
                for value in values
            ],
        )
    departed = [((sid,), reading.snapshot.departed) for sid, reading in read.items()]
    yield _family("callguard_departed_calls_total", departed)


def _process_families(
    readings: Iterable[AccountReading], beats: Mapping[str, float], jobs: Mapping[str, int], queue_name: str
) -> Iterator[Family]:
    summed = _summed(reading.totals for reading in readings)
    yield _family(
        "callguard_callbacks_total",
        [((result.value,), summed.get(f"callbacks:{result.value}", 0)) for result in CallbackResult],
    )
    yield _family(
        "callguard_reports_total",
        [
            ((source.value, result.value), summed.get(f"reports:{source.value}:{result.value}", 0))
            for source in ReportSource
            for result in ReportResult
        ],
    )
    yield _histogram("callguard_detection_delay_seconds", DETECTION_DELAY, summed)
    yield _histogram("callguard_cancel_duration_seconds", CANCEL_DURATION, summed)
    yield _family("callguard_heartbeat_age_seconds", [((name,), beats.get(name, math.inf)) for name in PROCESSES])
    yield _family("callguard_jobs", [((queue_name, state), count) for state, count in jobs.items()])


def _notice_families(outbox: OutboxFacts, now_ms: int) -> Iterator[Family]:
    counts = [((result.value,), outbox.totals.get(result.value, 0)) for result in NoticeResult]
    yield _family("callguard_notices_total", counts)
    waits = max(0.0, (now_ms - outbox.oldest_ms) / 1000) if outbox.oldest_ms else 0.0
    yield _family("callguard_oldest_notice_age_seconds", [((), waits)])


def _running_families(running: Sequence[RunningProcess], ours: Fingerprint) -> Iterator[Family]:
    yield _family("callguard_build_info", [((ours.version,), 1)])
    counted = Counter(process.kind for process in running)
    yield _family("callguard_processes", [((kind,), counted[kind]) for kind in KINDS])
    differing = Counter(
        (process.kind, "version" if VERSION in parts else "settings")
        for process in running
        if (parts := ours.differing(process.fingerprint))
    )
    yield _family(
        "callguard_processes_differing",
        [((kind, what), differing[kind, what]) for kind in KINDS for what in ("settings", "version")],
    )


def _family(name: str, samples: Iterable[Sample]) -> Family:
    metric = CATALOGUE[name]
    kind = CounterMetricFamily if metric.kind is Kind.COUNTER else GaugeMetricFamily
    family = kind(name, metric.help, labels=metric.labels)
    for labels, value in samples:
        family.add_metric(labels, value)
    return family


def _histogram(name: str, histogram: Histogram, totals: Mapping[str, float]) -> Family:
    family = HistogramMetricFamily(name, CATALOGUE[name].help)
    family.add_metric([], histogram.cumulated(totals), histogram.sum_of(totals))
    return family


def _summed(all_totals: Iterable[Mapping[str, float]]) -> dict[str, float]:
    summed: dict[str, float] = {}
    for totals in all_totals:
        for name, count in totals.items():
            summed[name] = summed.get(name, 0) + count
    return summed


def _age(now_ms: int, then_ms: int) -> float:
    return max(0.0, (now_ms - then_ms) / 1000) if then_ms else math.inf
