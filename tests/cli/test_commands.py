"""`status`, `pause`, `resume` and `reset` as an operator uses them."""

import time
from pathlib import Path

import pytest

from callguard.cli.person import person
from callguard.domain.incidents import LiveOutcome
from callguard.domain.notices import NoticeKind, Outage
from callguard.domain.policy import Mode, Policy
from callguard.domain.snapshot import Finding, Rule, State
from callguard.domain.sources import Source
from callguard.domain.throughput import Throughput
from callguard.store.connection import connect
from callguard.store.notices import RedisNotices
from callguard.store.outages import RedisOutages
from callguard.store.script_connections import ScriptConnections
from callguard.store.scripts import Scripts
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


def test_status_shows_the_open_incident(store: Store) -> None:
    store.incidents.trip(ACCOUNT_SID, 0, FINDING, Mode.ENFORCE, now_ms())

    assert "rule spike: 70.5 reached spike_burst = 65" in " ".join(run("status").output.split())


def test_status_shows_who_is_on_hold_and_what_was_done_with_live_calls(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "on hold" not in run("status").output

    monkeypatch.setenv("CALLGUARD_POLICY__HOLD_QUEUES", "true")
    assert "no hold queue" in run("status").output

    store.hold_queue_sizes.show(ACCOUNT_SID, {"callers": 3, "sales": 0})
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
    store.tracker.observe(ACCOUNT_SID, news, Policy(), now_ms(), Source.POLL)
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


def said(*words: str) -> str:
    return " ".join(run(*words).output.split())


def test_a_pause_says_where_it_is_kept_and_status_says_who_and_why(store: Store, tmp_path: Path) -> None:
    told = said("pause", "--reason", "a [bold] test", "--for", "30m")
    assert str(tmp_path / "decisions.json").replace(" ", "") in told.replace(" ", "")

    shown = said("status")
    assert "state paused, mode enforce" in shown
    assert f"by {person()}: a [bold] test" in shown
    assert "it ends by itself at" in shown

    assert run("resume", "--reason", "all is well").exit_code == 0
    assert f"by {person()}: all is well" in said("status")


def test_people_hear_of_pauses_and_resets(store: Store, redis_url: str) -> None:
    store.incidents.trip(ACCOUNT_SID, 0, FINDING, Mode.ENFORCE, now_ms())
    run("pause", "--reason", "a test")
    run("resume")
    run("reset", "--reason", "a false alarm")

    connection = connect(redis_url)
    notices = RedisNotices(connection, Scripts(ScriptConnections(connect(redis_url)))).waiting(10)
    assert [notice.kind for _, notice in notices] == [NoticeKind.PAUSED, NoticeKind.RESUMED, NoticeKind.RESUMED]
    assert all(person() in notice.text for _, notice in notices)
    assert f"by {person()}: a false alarm" in said("status")


@pytest.mark.parametrize("command", ["pause", "resume", "reset"])
@pytest.mark.parametrize("reason", ["x\x1b[31mred", "x" * 501])
def test_a_reason_that_is_no_line_of_text_is_refused(store: Store, command: str, reason: str) -> None:
    result = run(command, "--reason", reason)

    assert result.exit_code == 2
    assert "the reason h" in result.output
    assert "\x1b" not in result.output


@pytest.mark.parametrize("span", ["", "0s", "31d", "18:00", "-5m", "1e9d"])
def test_a_pause_of_an_odd_length_is_refused(store: Store, span: str) -> None:
    assert run("pause", "--for", span).exit_code == 2
    assert not store.tracker.snapshot(ACCOUNT_SID, 0).paused


def test_an_empty_reason_is_none(store: Store) -> None:
    assert "reason:" not in run("pause", "--reason", " ").output


def test_escape_codes_of_an_older_version_do_not_reach_the_terminal(store: Store) -> None:
    store.incidents.pause(ACCOUNT_SID, "x\x1b[31mred", now_ms())

    assert "\x1b" not in run("status").output
    assert "\x1b" not in run("check").output


def test_status_does_not_hide_a_cap_behind_cooling(store: Store) -> None:
    store.incidents.trip(ACCOUNT_SID, 0, FINDING, Mode.ENFORCE, now_ms())
    store.incidents.start_drain(ACCOUNT_SID, 1, "me", Mode.ENFORCE)
    store.incidents.finish_drain(ACCOUNT_SID, 1, "me", now_ms(), capped=True)

    assert "state cooling, capped, mode enforce" in said("status")
    assert "STOPPED stopped at max_cancellations" in said("status")


def test_status_shows_the_mode_that_is_in_force(store: Store) -> None:
    store.incidents.trip(ACCOUNT_SID, 0, FINDING, Mode.OBSERVE, now_ms())

    assert "state tripped, mode observe" in said("status")
    assert "observing mode observe" in said("status")


def test_a_pause_that_redis_does_not_take_is_left_for_the_watcher(
    store: Store, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CALLGUARD_REDIS_URL", "unix:///nowhere/redis.sock")

    result = run("pause", "--reason", "a test")

    assert result.exit_code == 1
    assert "Redis has not taken the pause" in result.output
    assert (tmp_path / "decisions.json").exists()


@pytest.mark.parametrize("forbidden", ["paused", "observing"])
def test_status_exits_with_1_while_nothing_is_cancelled(
    store: Store, monkeypatch: pytest.MonkeyPatch, forbidden: str
) -> None:
    store.tracker.polled(ACCOUNT_SID, Policy(), now_ms(), None, Throughput(), began_ms=now_ms())
    for process in ("watcher", "cancel-worker"):
        store.heartbeats.beat(process, now_ms())
    assert run("status").exit_code == 0
    if forbidden == "paused":
        run("pause", "--reason", "a test")
    else:
        monkeypatch.setenv("CALLGUARD_POLICY__MODE", "observe")

    result = run("status")

    assert result.exit_code == 1
    assert f"NOT GUARDED: {ACCOUNT_SID}" in result.output
