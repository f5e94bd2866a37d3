"""`status` and `check` where the guard's processes run with other settings than are read here."""

import time
from pathlib import Path

import pytest

from callguard.config.fingerprint import fingerprint
from callguard.config.settings import load_settings
from callguard.domain.policy import Policy
from callguard.domain.processes import Fingerprint
from callguard.domain.throughput import Throughput
from callguard.store.connection import connect
from callguard.store.presence import RedisHeartbeats
from tests.cli.running import environ, run
from tests.conftest import ACCOUNT_SID, Store

__all__ = ["environ"]

pytestmark = pytest.mark.usefixtures("environ")

KINDS = ("watcher", "cancel-worker", "web")
GUARDS = {
    "TWILIO_ACCOUNT_SID": ACCOUNT_SID,
    "TWILIO_AUTH_TOKEN": "a" * 32,
    "CALLGUARD_PUBLIC_URL": "https://guard.example.com",
}


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def run_with(redis_url: str, kinds: tuple[str, ...] = KINDS, version: str = "", **more: str) -> None:
    """Let living processes tell of their settings."""
    ours = fingerprint(load_settings({**GUARDS, **more}))
    told = Fingerprint(version or ours.version, ours.settings)
    for kind in kinds:
        process = RedisHeartbeats(connect(redis_url, timeout=5.0), f"{kind}-{len(more)}", lambda: told)
        process.show(kind, now_ms()) if kind == "web" else process.beat(kind, now_ms())


def said(*words: str) -> str:
    return " ".join(run(*words).output.split())


def test_where_all_agree_check_says_so(redis_url: str) -> None:
    """A public URL that the command was not given is not missed."""
    run_with(redis_url)

    assert "3 processes run CallGuard 0.1.0 with the settings read here" in said("check")
    assert "DIFFERS" not in said("status")
    assert "web 1 alive" in said("status")


def test_an_edited_file_is_not_in_force_before_a_restart(
    redis_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_with(redis_url)
    (tmp_path / "callguard.toml").write_text('[policy]\nmode = "observe"\n')
    monkeypatch.setenv("CALLGUARD_CONFIG", str(tmp_path / "callguard.toml"))

    expected = "the guard runs with other settings than are read here (policy): restart the workers first, then"
    assert f"DIFFERS: {expected}" in said("status")
    assert f"BAD {expected}" in said("check")
    assert run("check").exit_code == 1


def test_processes_that_differ_among_themselves_are_named(redis_url: str) -> None:
    run_with(redis_url, ("watcher", "web"))
    run_with(redis_url, ("cancel-worker",), CALLGUARD_POLICY__MODE="observe")

    shown = said("check")

    assert "BAD cancel-worker on " in shown
    assert " runs with other settings than are read here (policy): restart the workers first" in shown
    assert "watcher on" not in shown


def test_another_receiver_is_something_to_know(redis_url: str) -> None:
    run_with(redis_url, CALLGUARD_NOTIFY_URLS="https://chat.example.com/hook")

    assert "? the guard runs with other settings than are read here (notify_urls)" in said("check")


def test_another_version_is_named(redis_url: str) -> None:
    run_with(redis_url, version="0.0.9")

    assert "? the guard runs with CallGuard 0.0.9: restart" in said("check")


def test_an_older_guard_that_tells_nothing_is_named(store: Store, redis_url: str) -> None:
    run_with(redis_url, ("cancel-worker", "web"))
    store.heartbeats.beat("watcher", now_ms())

    assert "BAD watcher runs with an older CallGuard: restart" in said("check")


def test_status_names_each_process_that_differs(store: Store, redis_url: str) -> None:
    store.tracker.polled(ACCOUNT_SID, Policy(), now_ms(), None, Throughput(), began_ms=now_ms())
    run_with(redis_url, ("watcher", "web"), CALLGUARD_POLICY__CPS="9")
    run_with(redis_url, ("cancel-worker",), version="0.0.9")

    result = run("status")

    assert result.exit_code == 0, result.output
    assert result.output.count("DIFFERS") == 3
