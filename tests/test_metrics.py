"""The metrics: every name, from closed sets of labels, read at scrape."""

import math
import os
import re
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import Collector

from callguard import __version__
from callguard.bootstrap import WebParts, build_web
from callguard.config.settings import load_settings
from callguard.domain.calls import CallStatus
from callguard.domain.holds import HoldReason
from callguard.domain.incidents import LiveOutcome
from callguard.domain.notices import Notice, NoticeKind, Outage
from callguard.domain.policy import Mode
from callguard.domain.results import ReportResult, ReportSource
from callguard.domain.snapshot import Finding, Rule, State
from callguard.domain.sources import Source
from callguard.domain.tally import Outcome
from callguard.domain.throughput import Throughput
from callguard.metrics.catalogue import CATALOGUE, family
from callguard.metrics.collector import as_text
from tests.calls import call_sid, event, queued
from tests.conftest import ACCOUNT_SID

# DESIGN's fixed names; dashboards and alerts of others rely on them.
NAMES = {
    *("callguard_queue_depth", "callguard_estimated_drain_seconds", "callguard_phantom_slots", "callguard_cps"),
    *("callguard_calls_total", "callguard_queued_rate", "callguard_initiated_rate", "callguard_state"),
    *("callguard_trips_total", "callguard_cancellations_total", "callguard_callbacks_total"),
    *("callguard_detection_delay_seconds", "callguard_cancel_duration_seconds"),
    *("callguard_poll_age_seconds", "callguard_last_callback_age_seconds"),
    *("callguard_heartbeat_age_seconds", "callguard_jobs", "callguard_redis_up"),
    *("callguard_seconds_until_queue_full", "callguard_announced_calls"),
    "callguard_new_call_dialled_timestamp_seconds",
    *("callguard_hold", "callguard_state_lost_total"),
    *("callguard_warnings_total", "callguard_reports_total", "callguard_live_calls_total"),
    *("callguard_incident_open", "callguard_last_trip_timestamp_seconds", "callguard_remaining_calls"),
    *("callguard_credentials_refused", "callguard_departed_calls_total", "callguard_notices_total"),
    *("callguard_oldest_notice_age_seconds", "callguard_api_refused_total"),
    *("callguard_processes", "callguard_processes_differing", "callguard_build_info"),
    *("callguard_cancelled_rate", "callguard_forecast_dialled_calls", "callguard_capped"),
}
# What is there only once something has been counted, is open or is held back.
OF_WHAT_HAPPENS = {
    *("callguard_calls_total", "callguard_warnings_total", "callguard_live_calls_total", "callguard_hold"),
    *("callguard_remaining_calls", "callguard_cancelled_rate", "callguard_forecast_dialled_calls"),
}
Shown = dict[tuple[str, tuple[str, ...]], float]


def services(redis_url: str, **more: str) -> WebParts:
    return build_web(
        load_settings(
            {
                "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
                "TWILIO_AUTH_TOKEN": "a" * 32,
                "CALLGUARD_PUBLIC_URL": "https://guard.example.com",
                "CALLGUARD_REDIS_URL": redis_url,
                "CALLGUARD_POLICY__CPS": "5",
                "XDG_STATE_HOME": os.environ["XDG_STATE_HOME"],
                **more,
            }
        )
    )


@pytest.fixture
def guard(redis_url: str) -> WebParts:
    """A guard whose metrics are read."""
    return services(redis_url)


def scraped(guard: WebParts) -> Shown:
    registry = CollectorRegistry()
    registry.register(guard.collector)
    text = generate_latest(registry).decode()
    return {
        (sample.name, tuple(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def names_of(shown: Shown) -> set[str]:
    endings = ("_bucket", "_count", "_sum", "_created")
    return {
        next((name.removesuffix(ending) for ending in endings if name.endswith(ending)), name) for name, _ in shown
    }


def test_a_fresh_guard_shows_every_metric(guard: WebParts) -> None:
    shown = scraped(guard)

    assert names_of(shown) == NAMES - OF_WHAT_HAPPENS
    assert CATALOGUE.keys() - {"callguard_hold_queue_size"} == NAMES  # nobody is on hold
    assert shown["callguard_redis_up", ()] == 1
    assert shown["callguard_queue_depth", (ACCOUNT_SID,)] == 0
    assert shown["callguard_state", (ACCOUNT_SID, "armed")] == 1
    assert shown["callguard_poll_age_seconds", (ACCOUNT_SID,)] == math.inf
    assert shown["callguard_seconds_until_queue_full", (ACCOUNT_SID,)] == math.inf
    assert shown["callguard_heartbeat_age_seconds", ("watcher",)] == math.inf


def test_they_tell_what_has_happened(guard: WebParts) -> None:
    now = guard.clock.now_ms()
    policy = guard.accounts[ACCOUNT_SID].policy
    news = [queued(n, now) for n in range(100)]
    guard.stores.tracker.observe(ACCOUNT_SID, news, policy, now, Source.POLL)
    guard.stores.tracker.observe(ACCOUNT_SID, [event(0, CallStatus.INITIATED, now)], policy, now, Source.CALLBACK)
    guard.stores.tracker.refused(ACCOUNT_SID, "forbidden")
    guard.stores.incidents.trip(
        ACCOUNT_SID, 0, Finding(Rule.SPIKE, 70, 65, "spike_burst", now - 3000), Mode.ENFORCE, now
    )
    guard.stores.incidents.start_drain(ACCOUNT_SID, 1, "me", Mode.ENFORCE)
    guard.stores.incidents.settle_all(ACCOUNT_SID, 1, [(call_sid(5), Outcome.CANCELLED)], now)
    guard.stores.heartbeats.beat("watcher", now)
    guard.drains.wake(ACCOUNT_SID, 1)

    shown = scraped(guard)

    assert shown["callguard_queue_depth", (ACCOUNT_SID,)] == 98
    assert shown["callguard_estimated_drain_seconds", (ACCOUNT_SID,)] == pytest.approx(20, abs=1)
    assert shown["callguard_calls_total", (ACCOUNT_SID, "queued")] == 100
    assert shown["callguard_calls_total", (ACCOUNT_SID, "initiated")] == 1
    assert shown["callguard_state", (ACCOUNT_SID, "draining")] == 1
    assert shown["callguard_state", (ACCOUNT_SID, "armed")] == 0
    assert shown["callguard_trips_total", (ACCOUNT_SID, "spike")] == 1
    assert shown["callguard_cancellations_total", (ACCOUNT_SID, "cancelled")] == 1
    assert 0 < shown["callguard_cancelled_rate", (ACCOUNT_SID,)] <= 2
    # Slower than the dialler: 98 are left, and one slot before them is dead.
    assert shown["callguard_forecast_dialled_calls", (ACCOUNT_SID,)] == pytest.approx(98, rel=0.45)
    assert shown["callguard_callbacks_total", ("accepted",)] == 1
    assert shown["callguard_callbacks_total", ("forbidden",)] == 1
    assert shown["callguard_detection_delay_seconds_bucket", ("4.0",)] == 1
    assert shown["callguard_detection_delay_seconds_sum", ()] == 3
    assert shown["callguard_jobs", ("callguard-cancel", "queued")] == 1
    assert shown["callguard_heartbeat_age_seconds", ("watcher",)] < 5
    assert shown["callguard_cps", (ACCOUNT_SID, "configured")] == 5
    assert ("callguard_cps", (ACCOUNT_SID, "learned")) not in shown


def test_trips_are_counted_from_nought_so_that_an_increase_is_seen(guard: WebParts) -> None:
    before = scraped(guard)
    now = guard.clock.now_ms()
    guard.stores.incidents.trip(ACCOUNT_SID, 0, Finding(Rule.SPIKE, 70, 65, "spike_burst", now), Mode.ENFORCE, now)
    during = scraped(guard)
    guard.stores.incidents.rearm(ACCOUNT_SID, 1, "by hand", now + 1000, force=True)
    after = scraped(guard)

    for rule in Rule:
        assert before["callguard_trips_total", (ACCOUNT_SID, rule.value)] == 0
    assert after["callguard_trips_total", (ACCOUNT_SID, "spike")] == 1
    shown = [each["callguard_incident_open", (ACCOUNT_SID,)] for each in (before, during, after)]
    assert shown == [0, 1, 0]
    moments = [each["callguard_last_trip_timestamp_seconds", (ACCOUNT_SID,)] for each in (before, during, after)]
    assert moments == [0, now / 1000, now / 1000]


def test_a_calm_account_costs_25_series_and_one_with_an_incident_shows_all(guard: WebParts) -> None:
    def of_account() -> list[tuple[str, tuple[str, ...]]]:
        return [key for key in scraped(guard) if ACCOUNT_SID in key[1]]

    assert len(of_account()) == 25

    now = guard.clock.now_ms()
    guard.stores.incidents.trip(ACCOUNT_SID, 0, Finding(Rule.SPIKE, 70, 65, "spike_burst", now), Mode.ENFORCE, now)
    values = {
        name: {labels[1] for shown, labels in of_account() if shown == name}
        for name, _ in of_account()
        if len(CATALOGUE[name].labels) > 1
    }

    assert values["callguard_state"] == {state.value for state in State}
    assert values["callguard_cancellations_total"] == {outcome.value for outcome in Outcome}
    assert len(values["callguard_hold"]) == 5
    assert names_of(scraped(guard)) == NAMES


def test_what_alerts_look_at_is_there_from_the_start(guard: WebParts) -> None:
    """But for what they compare with 1, or look at while an account is drained."""
    rules = (Path(__file__).parents[1] / "deploy" / "prometheus" / "alerts.yml").read_text()
    increasing = set(re.findall(r"(?:increase|rate)\((callguard_\w+)", rules))

    shown = scraped(guard)

    assert increasing <= names_of(shown)
    assert shown["callguard_cancellations_total", (ACCOUNT_SID, "cancelled")] == 0


def test_many_accounts_are_read_in_a_few_round_trips(redis_url: str, tmp_path: Path) -> None:
    config = tmp_path / "callguard.toml"
    sids = [f"AC{number:032x}" for number in range(600)]
    config.write_text("".join(f'[[accounts]]\nsid = "{sid}"\nauth_token_env = "TOKEN"\n' for sid in sids))
    guard = services(redis_url, CALLGUARD_CONFIG=str(config), TOKEN="a" * 32)
    guard.stores.incidents.pause(sids[500], "a test", guard.clock.now_ms())
    scraped(guard)
    reads = guard.stores.connection.info("stats")["total_reads_processed"]

    shown = scraped(guard)

    assert guard.stores.connection.info("stats")["total_reads_processed"] - reads < 60
    assert [labels for name, labels in shown if name == "callguard_hold"] == [
        (sids[500], reason.value) for reason in HoldReason
    ]


def test_the_text_is_what_the_library_writes(guard: WebParts) -> None:
    now = guard.clock.now_ms()
    guard.stores.incidents.trip(
        ACCOUNT_SID, 0, Finding(Rule.SPIKE, 70, 65, "spike_burst", now - 3000), Mode.ENFORCE, now
    )
    families = list(guard.collector.collect())
    on_hold = [((ACCOUNT_SID, 'a "b"\\\n'), 1e9), ((ACCOUNT_SID, "c"), 0.5)]
    families.append(family("callguard_hold_queue_size", on_hold))

    class Read(Collector):
        def collect(self) -> list[Metric]:
            return families

    registry = CollectorRegistry()
    registry.register(Read())

    assert as_text(families) == generate_latest(registry)


def test_an_incident_that_cools_is_open(guard: WebParts) -> None:
    now = guard.clock.now_ms()
    guard.stores.incidents.trip(ACCOUNT_SID, 0, Finding(Rule.SPIKE, 70, 65, "spike_burst", now), Mode.ENFORCE, now)
    guard.stores.incidents.start_drain(ACCOUNT_SID, 1, "me", Mode.ENFORCE)
    guard.stores.incidents.finish_drain(ACCOUNT_SID, 1, "me", now, capped=False)

    shown = scraped(guard)

    assert shown["callguard_state", (ACCOUNT_SID, "cooling")] == 1
    assert shown["callguard_incident_open", (ACCOUNT_SID,)] == 1


def test_a_paused_incident_lets_all_ring(guard: WebParts) -> None:
    now = guard.clock.now_ms()
    policy = guard.accounts[ACCOUNT_SID].policy
    guard.stores.tracker.observe(ACCOUNT_SID, [queued(n, now) for n in range(100)], policy, now, Source.POLL)
    guard.stores.incidents.trip(ACCOUNT_SID, 0, Finding(Rule.SPIKE, 70, 65, "spike_burst", now), Mode.ENFORCE, now)
    guard.stores.incidents.pause(ACCOUNT_SID, "to look", now)

    shown = scraped(guard)

    assert shown["callguard_forecast_dialled_calls", (ACCOUNT_SID,)] == 100
    assert shown["callguard_remaining_calls", (ACCOUNT_SID,)] == 100
    assert shown["callguard_incident_open", (ACCOUNT_SID,)] == 1


def test_they_tell_of_notices_and_outages(guard: WebParts) -> None:
    now = guard.clock.now_ms()
    guard.stores.notices.post(Notice(ACCOUNT_SID, NoticeKind.WARNING, "a", now - 90_000))
    guard.stores.notices.failed("1-1", [])
    guard.stores.outages.begin(ACCOUNT_SID, Outage.CANCEL_DENIED, now)

    shown = scraped(guard)

    assert shown["callguard_notices_total", ("failed",)] == 1
    assert shown["callguard_notices_total", ("delivered",)] == 0
    assert 89 < shown["callguard_oldest_notice_age_seconds", ()] < 100
    assert shown["callguard_credentials_refused", (ACCOUNT_SID,)] == 1


def test_they_tell_what_was_learned_and_warned_of(guard: WebParts) -> None:
    now = guard.clock.now_ms()
    policy = guard.accounts[ACCOUNT_SID].policy
    news = [queued(n, now - 1500) for n in range(300)]
    guard.stores.tracker.observe(ACCOUNT_SID, news, policy, now, Source.REPORT)
    guard.stores.tracker.polled(ACCOUNT_SID, policy, now, None, Throughput(learned=10.0), began_ms=now)
    guard.stores.tracker.count(ACCOUNT_SID, "warnings:spike")
    guard.reports.refuse(ACCOUNT_SID, ReportSource.CLIENT, ReportResult.MALFORMED)

    shown = scraped(guard)

    assert shown["callguard_cps", (ACCOUNT_SID, "configured")] == 5
    assert shown["callguard_cps", (ACCOUNT_SID, "learned")] == 10
    assert shown["callguard_estimated_drain_seconds", (ACCOUNT_SID,)] == pytest.approx(30, abs=1)
    dialled_at = shown["callguard_new_call_dialled_timestamp_seconds", (ACCOUNT_SID,)]
    assert dialled_at == pytest.approx(now / 1000 + 30, abs=2)
    # 300 calls in 10 s are 30/s: two seconds of queue more in each second.
    assert shown["callguard_seconds_until_queue_full", (ACCOUNT_SID,)] == pytest.approx(86_370 / 2, rel=0.01)
    assert shown["callguard_warnings_total", (ACCOUNT_SID, "spike")] == 1
    assert shown["callguard_reports_total", ("malformed", "client")] == 1


def test_they_tell_who_is_on_hold_and_what_was_done_with_live_calls(redis_url: str) -> None:
    guard = services(redis_url, CALLGUARD_POLICY__HOLD_QUEUES="true")
    now = guard.clock.now_ms()
    guard.stores.incidents.trip(ACCOUNT_SID, 0, Finding(Rule.SPIKE, 70, 65, "spike_burst", now), Mode.ENFORCE, now)
    guard.stores.live_calls.settle(ACCOUNT_SID, 1, call_sid(1), LiveOutcome.HUNG_UP)
    guard.stores.hold_queue_sizes.show(ACCOUNT_SID, {"callers": 3, "sales": 0})

    shown = scraped(guard)

    assert shown["callguard_live_calls_total", (ACCOUNT_SID, "hung_up")] == 1
    assert shown["callguard_live_calls_total", (ACCOUNT_SID, "redirected")] == 0
    assert shown["callguard_live_calls_total", (ACCOUNT_SID, "failed")] == 0
    assert shown["callguard_hold_queue_size", (ACCOUNT_SID, "callers")] == 3
    assert shown["callguard_hold_queue_size", (ACCOUNT_SID, "sales")] == 0

    guard.stores.hold_queue_sizes.show(ACCOUNT_SID, {"sales": 1})

    assert {labels: size for (name, labels), size in scraped(guard).items() if "hold_queue" in name} == {
        (ACCOUNT_SID, "sales"): 1
    }


def test_they_tell_which_processes_run_with_other_settings(redis_url: str, guard: WebParts) -> None:
    now = guard.clock.now_ms()
    services(redis_url).stores.heartbeats.show("web", now)
    services(redis_url).stores.heartbeats.beat("watcher", now)
    other = services(redis_url, CALLGUARD_POLICY__MODE="observe", CALLGUARD_METRICS_TOKEN="another-token")
    other.stores.heartbeats.beat("cancel-worker", now)

    shown = scraped(guard)

    assert shown["callguard_build_info", (__version__,)] == 1
    assert [shown["callguard_processes", (kind,)] for kind in ("web", "watcher", "cancel-worker")] == [1, 1, 1]
    differing = {labels for (name, labels), n in shown.items() if name == "callguard_processes_differing" and n}
    assert differing == {("cancel-worker", "settings")}

    other.stores.heartbeats.leave()
    services(redis_url).stores.heartbeats.beat("cancel-worker", now)

    shown = scraped(guard)
    assert not [n for (name, _), n in shown.items() if name == "callguard_processes_differing" and n]


def test_without_redis_they_say_so(tmp_path: Path) -> None:
    guard = services(f"unix://{tmp_path}/nothing.sock")

    assert scraped(guard) == {("callguard_redis_up", ()): 0}


def test_they_tell_what_holds_the_guard_back(guard: WebParts) -> None:
    now = guard.clock.now_ms()
    guard.stores.incidents.trip(ACCOUNT_SID, 0, Finding(Rule.SPIKE, 70, 65, "spike_burst", now), Mode.ENFORCE, now)
    guard.stores.incidents.start_drain(ACCOUNT_SID, 1, "me", Mode.ENFORCE)
    guard.stores.incidents.finish_drain(ACCOUNT_SID, 1, "me", now, capped=True)
    guard.stores.incidents.pause(ACCOUNT_SID, "a test", now)
    guard.stores.decisions.remember(ACCOUNT_SID)
    guard.stores.connection.flushall()
    guard.stores.decisions.make_good(ACCOUNT_SID)

    shown = scraped(guard)

    reasons = ("paused", "capped", "waits_for_reset", "observing", "state_lost")
    assert [shown["callguard_hold", (ACCOUNT_SID, reason)] for reason in reasons] == [1, 0, 0, 0, 0]
    assert shown["callguard_state_lost_total", (ACCOUNT_SID,)] == 1
