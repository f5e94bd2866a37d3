"""`check` as a newcomer uses it, beside a simulated Twilio."""

import time
from collections.abc import Iterator

import pytest

from callguard.domain.calls import CallEvent, CallStatus
from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.policy import Policy
from callguard.domain.sources import Source
from callguard.domain.throughput import Throughput
from callguard.simulator import AccountConfig, RunningSimulator, SimulatorConfig, running
from callguard.store.connection import connect
from callguard.store.notices import RedisNotices
from callguard.store.script_connections import ScriptConnections
from callguard.store.scripts import Scripts
from tests.calls import call_sid, create_calls
from tests.cli.running import environ, run
from tests.conftest import ACCOUNT_SID, Store
from tests.unqueued_days import three_days

__all__ = ["environ"]

pytestmark = pytest.mark.usefixtures("environ")


@pytest.fixture
def twilio(monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningSimulator]:
    account = AccountConfig(sid=ACCOUNT_SID, auth_token="a" * 32, latency=0.0)
    with running(SimulatorConfig(accounts=(account,))) as twilio:
        monkeypatch.setenv("CALLGUARD_TWILIO_API_URL", twilio.url)
        yield twilio


def now_ms() -> int:
    return time.time_ns() // 1_000_000


def all_is_well(store: Store, learned: float = 1.0) -> None:
    now = now_ms()
    store.tracker.polled(ACCOUNT_SID, Policy(), now, None, Throughput(learned=learned), began_ms=now)
    store.tracker.observe(
        ACCOUNT_SID, [CallEvent(call_sid(1), CallStatus.COMPLETED, now)], Policy(), now, Source.CALLBACK
    )
    for process in ("watcher", "cancel-worker"):
        store.heartbeats.beat(process, now)


def test_a_guard_in_order(store: Store, twilio: RunningSimulator, monkeypatch: pytest.MonkeyPatch) -> None:
    all_is_well(store)
    monkeypatch.setenv("CALLGUARD_NOTIFY_URLS", "https://chat.example.com/hook")

    result = run("check")

    assert result.exit_code == 0, result.output
    assert "BAD" not in result.output
    for said in ("Twilio answers in", "watcher: alive", "last callback", "cps = 1, and Twilio dials 1 a second"):
        assert said in result.output


def test_nothing_runs(store: Store, twilio: RunningSimulator) -> None:
    result = run("check")

    assert result.exit_code == 1
    for said in ("watcher: never gave a sign of life", "last read never", "no callback has ever come"):
        assert said in result.output
    assert "nobody is told of warnings" in result.output


def test_a_wrong_cps_is_bad(store: Store, twilio: RunningSimulator) -> None:
    all_is_well(store, learned=5.0)

    result = run("check")

    assert result.exit_code == 1
    assert "cps = 1 is wrong: Twilio dials 5 a second; set CALLGUARD_POLICY__CPS" in result.output


def test_wrong_credentials_are_named(
    store: Store, twilio: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_is_well(store)
    monkeypatch.setenv("TWILIO_AUTH_TOKEN", "b" * 32)

    result = run("check")

    assert result.exit_code == 1
    assert "Twilio answered 401 to a list; check TWILIO_AUTH_TOKEN" in result.output


def test_a_receiver_that_nobody_knows_is_bad(
    store: Store, twilio: RunningSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_is_well(store)
    monkeypatch.setenv("CALLGUARD_NOTIFY_URLS", "carrierpigeon://a-secret-loft")

    result = run("check")

    assert result.exit_code == 1
    assert "CALLGUARD_NOTIFY_URLS" in result.output
    assert "a-secret-loft" not in result.output


def test_a_notice_that_nobody_takes_is_bad(store: Store, twilio: RunningSimulator, redis_url: str) -> None:
    all_is_well(store)
    outbox = RedisNotices(connect(redis_url), Scripts(ScriptConnections(connect(redis_url))))
    outbox.post(Notice(ACCOUNT_SID, NoticeKind.TRIPPED, "TRIPPED", now_ms() - 300_000))

    result = run("check")

    assert result.exit_code == 1
    assert "notices: the oldest has waited for 5 min" in result.output


def test_an_account_that_crosses_its_thresholds_every_day_is_wrongly_configured(
    store: Store, twilio: RunningSimulator
) -> None:
    all_is_well(store)
    assert "wrongly configured" not in run("check").output
    three_days(store, ACCOUNT_SID, now_ms())

    for command in ("check", "status"):
        said = " ".join(run(command).output.split())
        assert "wrongly configured: its traffic has crossed initiated_burst on 3 of the last 7 days" in said
        assert "write initiated_burst = 105 in the account's table" in said


def test_it_says_what_the_thresholds_will_cancel(store: Store, twilio: RunningSimulator) -> None:
    assert "A batch of 66 calls at once will be cancelled" in run("check").output


def test_the_latest_calls_are_replayed(store: Store, twilio: RunningSimulator) -> None:
    quiet = run("check").output
    create_calls(twilio, ACCOUNT_SID, 200)

    loud = run("check").output

    assert "no outbound call in the last 14 days" in quiet
    assert "read 200 calls back to" in loud
    assert "1 would have cancelled calls" in loud
    assert "spared that day by spike_burst = " in loud
    assert "callguard backtest --fetch --since" in loud
    assert "call log" not in run("check", "--days", "0").output
