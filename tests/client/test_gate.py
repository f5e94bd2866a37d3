import contextlib
import logging
import pickle
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from twilio.base.exceptions import TwilioException

from callguard.client import CallsBlocked, gate
from callguard.client.guard_api import GuardApi, GuardSilent
from callguard.client.lines import line_to
from callguard.client.settings import GuardSettings
from callguard.simulator import RunningSimulator
from tests.client.conftest import SID, Connect, create
from tests.client.guard_server import ARMED, KEY, TRIPPED, GuardServer, guard_server
from tests.waiting import wait_until


def test_a_blocked_account_creates_no_call(guard: GuardServer, connect: Connect, twilio: RunningSimulator) -> None:
    guard.gate = TRIPPED
    before = twilio.account(SID).created

    with pytest.raises(CallsBlocked) as caught:
        create(connect(guard.url))

    blocked = caught.value
    assert twilio.account(SID).created == before
    assert isinstance(blocked, TwilioException)
    assert (blocked.account_sid, blocked.state, blocked.drain_seconds) == (SID, "tripped", 12.3)
    assert "No call was created" in str(blocked)
    assert "Stop creating calls" in str(blocked)
    assert "about 12 s" in str(blocked)
    assert str(pickle.loads(pickle.dumps(blocked))) == str(blocked)  # noqa: S301  our own bytes
    assert guard.gates == [(f"/api/accounts/{SID}/gate", KEY)]


def test_an_answer_is_good_for_its_time_and_no_longer(guard: GuardServer, connect: Connect) -> None:
    client = connect(guard.url, answer_seconds=0.5)

    for _ in range(5):
        create(client)
    assert len(guard.gates) == 1

    guard.gate = TRIPPED
    time.sleep(0.6)
    with pytest.raises(CallsBlocked):
        create(client)
    guard.gate = ARMED
    time.sleep(0.6)
    create(client)
    assert len(guard.gates) == 3


def test_clients_of_one_guard_share_its_answer(guard: GuardServer, connect: Connect) -> None:
    for _ in range(5):
        create(connect(guard.url))

    assert len(guard.gates) == 1


def test_each_account_has_its_own_answer(guard: GuardServer, connect: Connect) -> None:
    client = connect(guard.url)
    create(client)
    guard.gate = TRIPPED

    with pytest.raises(CallsBlocked) as caught:
        client.api.accounts("AC" + "1" * 32).calls.create(
            to="+15005550001", from_="+15005550006", url="http://x.test"
        )

    assert caught.value.account_sid == "AC" + "1" * 32
    create(client)


def test_threads_share_one_ask(guard: GuardServer, connect: Connect, twilio: RunningSimulator) -> None:
    guard.gate_seconds = 0.1
    client = connect(guard.url, gate_timeout=2.0)
    before = twilio.account(SID).created

    with ThreadPoolExecutor(40) as pool:
        list(pool.map(lambda _: create(client), range(40)))

    assert twilio.account(SID).created == before + 40
    assert guard.most_gates_at_once == 1
    assert len(guard.gates) <= 3, "one ask for each second"


def test_threads_that_wait_are_all_blocked(guard: GuardServer, connect: Connect, twilio: RunningSimulator) -> None:
    guard.gate, guard.gate_seconds = TRIPPED, 0.1
    client = connect(guard.url, gate_timeout=2.0)
    before = twilio.account(SID).created

    def is_blocked(_: int) -> bool:
        with pytest.raises(CallsBlocked):
            create(client)
        return True

    with ThreadPoolExecutor(20) as pool:
        assert all(pool.map(is_blocked, range(20)))

    assert twilio.account(SID).created == before


def seconds_of_creates(connect: Connect, url: str, count: int = 50) -> float:
    client = connect(url)
    began = time.monotonic()
    for _ in range(count):
        create(client)
    return time.monotonic() - began


@pytest.mark.parametrize("trouble", ["refuses", "hangs", "has no route", "answers 500", "is malformed"])
def test_a_guard_that_is_down_does_not_slow_creates(guard: GuardServer, connect: Connect, trouble: str) -> None:
    healthy = seconds_of_creates(connect, guard.url)
    with guard_server() as troubled:
        url = troubled.url if trouble != "has no route" else "http://192.0.2.1"
        troubled.hangs = trouble == "hangs"
        troubled.gate_status = 500 if trouble == "answers 500" else 200
        troubled.gate = b"<html>" if trouble == "is malformed" else ARMED
        if trouble != "refuses":
            assert seconds_of_creates(connect, url) < healthy + 1.5
            assert len(troubled.gates) <= 3, "the first ask, then only the prober's"
            return
    assert seconds_of_creates(connect, url) < healthy + 1.5


@pytest.mark.parametrize("status", [401, 403, 404, 500, 302])
@pytest.mark.parametrize("fail", ["open", "closed"])
def test_an_answer_that_is_none_follows_fail(guard: GuardServer, connect: Connect, status: int, fail: str) -> None:
    guard.gate_status = status
    client = connect(guard.url, fail=fail)

    if fail == "open":
        assert create(client).status == "queued"
        return
    with pytest.raises(CallsBlocked) as caught:
        create(client)
    assert (caught.value.state, caught.value.drain_seconds) == ("unknown", None)
    assert 'fail="open"' in str(caught.value)


@pytest.mark.parametrize("body", [b"", b"[]", {}, {"allowed": "no"}, {"allowed": None}, b"[" * 100_000])
def test_a_malformed_answer_is_none(guard: GuardServer, connect: Connect, body: object) -> None:
    guard.gate = body

    create(connect(guard.url))
    with pytest.raises(CallsBlocked, match="has no answer"):
        create(connect(guard.url, fail="closed"))


@pytest.mark.parametrize(
    ("status", "named"), [(401, "CALLGUARD_CLIENT_KEY"), (403, "CALLGUARD_CLIENT_KEY"), (404, "CALLGUARD_URL")]
)
def test_a_wrong_setting_is_named_once(
    guard: GuardServer, connect: Connect, caplog: pytest.LogCaptureFixture, status: int, named: str
) -> None:
    guard.gate_status = status
    create(connect(guard.url))
    assert named in caplog.text
    caplog.clear()
    api = GuardApi(GuardSettings(guard.url, KEY, 0.3, 1.0))
    caplog.clear()
    for _ in range(3):
        with contextlib.suppress(GuardSilent):
            api.gate(SID)

    warnings = [record for record in caplog.records if named in record.getMessage()]

    assert len(warnings) == 1
    assert warnings[0].name == "callguard.client"
    assert warnings[0].levelno == logging.WARNING
    assert KEY not in caplog.text


def test_the_gate_holds_again_after_the_guard_comes_back(
    connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "_INITIAL_PAUSE", 0.1)
    with guard_server() as first:
        client = connect(first.url, answer_seconds=0.05)
        create(client)
    time.sleep(0.1)
    create(client)  # refused: fails open, and the prober starts

    with guard_server(first.port, gate=TRIPPED) as back:
        wait_until(lambda: back.gates, "the prober finds the guard", 3.0)
        time.sleep(0.1)
        with pytest.raises(CallsBlocked, match="tripped"):
            create(client)


def test_probes_grow_apart_and_are_the_only_asks(
    guard: GuardServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gate, "_INITIAL_PAUSE", 0.1)
    guard.gate_status = 503
    client = connect(guard.url)
    ends = time.monotonic() + 1.6
    while time.monotonic() < ends:
        create(client)

    # At 0, 0.1, 0.3, 0.7 and 1.5 s.
    assert 3 <= len(guard.gates) <= 5
    assert guard.most_gates_at_once == 1


def test_a_no_that_trickles_in_late_still_blocks_the_next_create(guard: GuardServer, connect: Connect) -> None:
    guard.gate, guard.trickle_seconds = TRIPPED, 0.2  # in pieces, so that no single wait is too long
    client = connect(guard.url, gate_timeout=0.1, answer_seconds=3.0)
    began = time.monotonic()
    create(client)
    assert time.monotonic() - began < 0.19, "the create waits for the sum no longer than for one piece"

    def is_blocked() -> bool:
        try:
            create(client)
        except CallsBlocked:
            return True
        return False

    wait_until(is_blocked, "the answer that came late counts", 3.0)


def test_many_accounts_need_one_prober(guard: GuardServer) -> None:
    guard.gate_status, guard.gate_seconds = 503, 0.2
    gate_of_guard = line_to(GuardSettings(guard.url, KEY, 1.0, 1.0)).gate

    with ThreadPoolExecutor(10) as pool:
        assert list(pool.map(gate_of_guard.ask, [f"AC{number}" for number in range(10)])) == [None] * 10

    assert guard.most_gates_at_once > 1, "several accounts were asked about before the guard was known to be down"
    wait_until(lambda: len(asking_threads()) == 1, "one thread probes for all", 0.8)
    assert len(asking_threads()) == 1


def asking_threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "callguard-gate"]


def test_nothing_is_left_running_when_the_guard_answers(guard: GuardServer, connect: Connect) -> None:
    create(connect(guard.url))

    wait_until(
        lambda: not asking_threads(),
        "the asking thread ends",
        3.0,
    )
