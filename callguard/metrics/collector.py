"""The collector: asks Redis once a scrape; and the text that a scrape is answered with."""

import logging
import math
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import lru_cache

from prometheus_client.core import HistogramMetricFamily
from prometheus_client.metrics_core import Metric as Family
from prometheus_client.registry import Collector
from prometheus_client.samples import Sample
from prometheus_client.utils import floatToGoString

from callguard.clock import Clock
from callguard.config.accounts import Account
from callguard.domain.health import PROCESSES
from callguard.domain.histograms import CANCEL_DURATION, DETECTION_DELAY, Histogram
from callguard.domain.processes import VERSION, Fingerprint, RunningProcess
from callguard.domain.readings import AccountReading, OutboxFacts
from callguard.domain.results import ApiRefusal, CallbackResult, NoticeResult, ReportResult, ReportSource
from callguard.errors import CallGuardError
from callguard.metrics.account_families import Shown, account_families
from callguard.metrics.catalogue import CATALOGUE, family
from callguard.metrics.needs import ApiRefusals, JobCounts, OutboxReadings, Presence, Readings

_log = logging.getLogger(__name__)

KINDS = (*PROCESSES, "web")


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
            policies = {sid: account.policy for sid, account in self._accounts.items()}
            read = self._readings.read_each(policies, now_ms)
            beats = self._heartbeats.ages(now_ms)
            running = self._heartbeats.processes(now_ms)
            jobs = self._jobs.counts()
            outbox = self._outbox.facts()
            refused = self._refusals.totals()
        except CallGuardError as error:
            _log.warning("metrics: %s", error)
            yield family("callguard_redis_up", [((), 0)])
            return
        yield family("callguard_redis_up", [((), self._is_writable())])
        yield from account_families({sid: Shown(self._accounts[sid], reading) for sid, reading in read.items()})
        yield from _running_families(running, self._fingerprint())
        yield from _process_families(read.values(), beats, jobs, self._queue_name)
        yield from _notice_families(outbox, now_ms)
        reasons = [((reason.value,), refused.get(reason.value, 0)) for reason in ApiRefusal]
        yield family("callguard_api_refused_total", reasons)

    def _is_writable(self) -> float:
        try:
            self._heartbeats.prove_writable()
        except CallGuardError as error:
            _log.warning("metrics: %s", error)
            return 0.0
        return 1.0


def _process_families(
    readings: Iterable[AccountReading], beats: Mapping[str, float], jobs: Mapping[str, int], queue_name: str
) -> Iterator[Family]:
    summed = _summed(reading.totals for reading in readings)
    yield family(
        "callguard_callbacks_total",
        [((result.value,), summed.get(f"callbacks:{result.value}", 0)) for result in CallbackResult],
    )
    yield family(
        "callguard_reports_total",
        [
            ((source.value, result.value), summed.get(f"reports:{source.value}:{result.value}", 0))
            for source in ReportSource
            for result in ReportResult
        ],
    )
    yield _histogram("callguard_detection_delay_seconds", DETECTION_DELAY, summed)
    yield _histogram("callguard_cancel_duration_seconds", CANCEL_DURATION, summed)
    yield family("callguard_heartbeat_age_seconds", [((name,), beats.get(name, math.inf)) for name in PROCESSES])
    yield family("callguard_jobs", [((queue_name, state), count) for state, count in jobs.items()])


def _notice_families(outbox: OutboxFacts, now_ms: int) -> Iterator[Family]:
    counts = [((result.value,), outbox.totals.get(result.value, 0)) for result in NoticeResult]
    yield family("callguard_notices_total", counts)
    waits = max(0.0, (now_ms - outbox.oldest_ms) / 1000) if outbox.oldest_ms else 0.0
    yield family("callguard_oldest_notice_age_seconds", [((), waits)])


def _running_families(running: Sequence[RunningProcess], ours: Fingerprint) -> Iterator[Family]:
    yield family("callguard_build_info", [((ours.version,), 1)])
    counted = Counter(process.kind for process in running)
    yield family("callguard_processes", [((kind,), counted[kind]) for kind in KINDS])
    differing = Counter(
        (process.kind, "version" if VERSION in parts else "settings")
        for process in running
        if (parts := ours.differing(process.fingerprint))
    )
    yield family(
        "callguard_processes_differing",
        [((kind, what), differing[kind, what]) for kind in KINDS for what in ("settings", "version")],
    )


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


def as_text(families: Iterable[Family]) -> bytes:
    """Return Prometheus' text format as `prometheus_client.generate_latest` writes it, in an eighth of its time.

    A thousand accounts have 25,000 samples and more; a web process that writes them answers no callback meanwhile.
    """
    lines: list[str] = []
    for one in families:
        name = f"{one.name}_total" if one.type == "counter" else one.name
        lines += (f"# HELP {name} {_escaped(one.documentation)}\n", f"# TYPE {name} {one.type}\n")
        lines += map(_line, one.samples)
    return "".join(lines).encode()


def _line(sample: Sample) -> str:
    if not sample.labels:
        return f"{sample.name} {_number(sample.value)}\n"
    pairs = sample.labels.items() if len(sample.labels) == 1 else sorted(sample.labels.items())
    labels = ",".join([_label(name, value) for name, value in pairs])
    return f"{sample.name}{{{labels}}} {_number(sample.value)}\n"


@lru_cache(maxsize=4_096)
def _label(name: str, value: str) -> str:
    return f'{name}="{_quoted(value)}"'


@lru_cache(maxsize=1_024)
def _number(value: float) -> str:
    return str(floatToGoString(value))  # type: ignore[no-untyped-call]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("\n", "\\n")


def _quoted(text: str) -> str:
    return _escaped(text).replace('"', '\\"')
