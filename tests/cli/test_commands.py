"""`status`, `pause`, `resume` and `reset` as an operator uses them."""

import time
from pathlib import Path

import pytest

from callguard.domain.accounts import Finding, Rule, State
from callguard.domain.incidents import LiveOutcome
from callguard.domain.policy import Mode, Policy
from callguard.domain.throughput import Throughput
from callguard.ports import Door, Outage
from callguard.store.connection import connect
from callguard.store.outages import RedisOutages
from tests.calls import queued
from tests.cli.running import environ, run
from tests.conftest import ACCOUNT_SID, Store

FINDING = Finding(Rule.SPIKE, 70.5, 65, "spike_burst", 1_000)


__all__ = ["environ"]

pytestmark = pytest.mark.usefixtures("environ")


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def test_status_says_so_when_nobody_guards(store: Store) -> None:
    result = run("status")

    assert result.exit_code == 1
    assert ACCOUNT_SID in result.output
    assert "never" in result.output


def test_status_is_content_when_all_is_well(store: Store) -> None:
    store.tracker.polled(ACCOUNT_SID, Policy(), now_ms(), None, Throughput(), began_ms=now_ms())
    for process in ("watcher", "cancel-worker"):
        store.heartbeats.beat(process, now_ms())

    result = run("status")

    assert result.exit_code == 0, result.output
    assert "armed" in result.output
    assert max(map(len, result.output.splitlines())) <= 80


def test_status_shows_the_open_incident(store: Store) -> None:
    store.incidents.trip(ACCOUNT_SID, 0, FINDING, Mode.ENFORCE, now_ms())

    assert "rule spike: 70.5 reached spike_burst = 65" in " ".join(run("status").output.split())


def test_status_shows_who_is_on_hold_and_what_was_done_with_live_calls(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "on hold" not in run("status").output

    monkeypatch.setenv("CALLGUARD_POLICY__HOLD_QUEUES", "true")
    assert "no hold queue" in run("status").output

    store.hold_board.show(ACCOUNT_SID, {"callers": 3, "sales": 0})
    store.incidents.trip(ACCOUNT_SID, 0, FINDING, Mode.ENFORCE, now_ms())
    store.live_calls.settle(ACCOUNT_SID, 1, "CA" + "1" * 32, LiveOutcome.HUNG_UP)
    said = " ".join(run("status").output.split())

    assert "on hold 3 in callers, 0 in sales (`<Enqueue>`, not the rate queue)" in said
    assert "0 found: 0 remaining; live calls, counted apart: 1 hung up" in said


def test_pause_and_resume(store: Store) -> None:
    assert run("pause", "--reason", "a test").exit_code == 0
    assert store.tracker.snapshot(ACCOUNT_SID, 0).paused

    assert run("resume").exit_code == 0
    assert not store.tracker.snapshot(ACCOUNT_SID, 0).paused


def test_reset_closes_the_incident_with_its_reason(store: Store) -> None:
    store.incidents.trip(ACCOUNT_SID, 0, FINDING, Mode.ENFORCE, now_ms())

    assert run("reset", "--reason", "a false alarm").exit_code == 0
    assert store.tracker.snapshot(ACCOUNT_SID, 0).state is State.ARMED
    (closed,) = store.incidents.recent(ACCOUNT_SID, 1)
    assert "a false alarm" in closed.reason
    assert run("reset").exit_code == 1


def test_without_a_running_guard_the_commands_say_what_to_set(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv("CALLGUARD_REDIS_URL")

    result = run("pause")

    assert result.exit_code != 0
    assert "CALLGUARD_DATA_DIR" in result.output
    assert "Traceback" not in result.output


def test_status_says_that_all_ring_while_paused(store: Store) -> None:
    news = [queued(n, now_ms()) for n in range(100)]
    store.tracker.observe(ACCOUNT_SID, news, Policy(), now_ms(), Door.POLL)
    store.incidents.trip(ACCOUNT_SID, 0, FINDING, Mode.ENFORCE, now_ms())
    store.incidents.pause(ACCOUNT_SID, "to look", now_ms())

    said = " ".join(run("status").output.split())

    assert "forecast 100 more will ring: 100 in scope (paused)" in said


def test_status_says_that_twilio_refuses_the_credentials(store: Store, redis_url: str) -> None:
    RedisOutages(connect(redis_url)).begin(ACCOUNT_SID, Outage.CANCEL_DENIED, now_ms() - 300_000)

    result = run("status")

    said = " ".join(result.output.split())
    assert result.exit_code == 1
    assert "OUTAGE Twilio refuses our credentials for cancels: check the auth token, since 5 min" in said
    assert f"NOT GUARDED: Twilio refuses our credentials for cancels: check the auth token ({ACCOUNT_SID})" in said
