"""Exit, fork and gevent, each in a process of its own."""

import subprocess
import sys
import time

import pytest

from callguard.simulator import RunningSimulator
from tests.client.guard_server import KEY, TRIPPED, GuardServer, guard_server

pytestmark = pytest.mark.full

PROGRAM = """
import os, sys, time
{start}
import requests
from twilio.rest import Client
from callguard.client import CallsBlocked, GuardedHttpClient
from callguard.simulator import SANDBOX_ACCOUNT_SID, SANDBOX_AUTH_TOKEN

guard_url, twilio_url, key = sys.argv[1:]
client = Client(SANDBOX_ACCOUNT_SID, SANDBOX_AUTH_TOKEN, http_client=GuardedHttpClient(guard_url, key))
client.api.base_url = twilio_url

def create():
    return client.calls.create(to="+15005550001", from_="+15005550006", url="http://example.com").sid

{body}
"""


def run(guard: GuardServer, twilio: RunningSimulator, body: str, start: str = "") -> list[str]:
    """Run the program to its end and return the words that it printed."""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", PROGRAM.format(start=start, body=body), guard.url, twilio.url, KEY],
        capture_output=True, text=True, timeout=20, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def test_reports_are_flushed_at_exit(guard: GuardServer, twilio: RunningSimulator) -> None:
    guard.reports_seconds = 0.3

    sids = run(guard, twilio, "print(*[create() for _ in range(3)])")

    assert sorted(each["sid"] for each in guard.reports) == sorted(sids)


def test_exit_waits_no_longer_than_its_bound(guard: GuardServer, twilio: RunningSimulator) -> None:
    guard.reports_seconds = 30.0

    (created,) = run(guard, twilio, "create(); print(time.time())")

    assert 1.5 < time.time() - float(created) < 3.5


def test_a_guard_that_comes_back_during_the_exit_gets_the_reports(twilio: RunningSimulator) -> None:
    with guard_server(reports_status=503) as guard:
        sids = run(guard, twilio, "print(create())\ntime.sleep(0.2)\nimport atexit\n" + _HEAL)

        assert [each["sid"] for each in guard.reports] == sids


# Registered last, so it runs before the client's own flush at exit.
_HEAL = "atexit.register(lambda: requests.post(guard_url + '/heal', json={}))\n"


@pytest.mark.parametrize("start", ["", "from gevent import monkey; monkey.patch_all()"], ids=["threads", "gevent"])
def test_a_forked_child_asks_and_reports_for_itself(
    guard: GuardServer, twilio: RunningSimulator, start: str
) -> None:
    guard.reports_seconds = 0.3  # so that the parent's report is still in hand at the fork
    body = """
parent = create()
child = os.fork()
time.sleep(1.1)
if not child:
    client.http_client.session = requests.Session()  # the library shares its connections over a fork
sids = [create() for _ in range(2)]
os.write(1, " ".join(([parent] if child else []) + sids + [""]).encode())  # whole: two processes write
if child:
    assert os.waitpid(child, 0)[1] == 0
"""
    sids = run(guard, twilio, body, start)

    assert len(sids) == 5
    assert sorted(each["sid"] for each in guard.reports) == sorted(sids), "each once"
    assert len(guard.gates) == 3, "the parent's first, then one in each process"


def test_a_fork_in_the_middle_of_asking_leaves_no_lock_behind(
    guard: GuardServer, twilio: RunningSimulator
) -> None:
    body = """
import threading
client.http_client._line.gate._answer_seconds = 0.001
stop = threading.Event()
def busy():
    while not stop.is_set():
        create()
threads = [threading.Thread(target=busy, daemon=True) for _ in range(4)]
[each.start() for each in threads]
for _ in range(20):
    child = os.fork()
    if not child:
        client.http_client.session = requests.Session()  # the library shares its connections over a fork
        create()
        os._exit(0)
    ends = time.monotonic() + 5
    while not (done := os.waitpid(child, os.WNOHANG))[0]:
        assert time.monotonic() < ends, "the child hangs"
        time.sleep(0.01)
    assert done[1] == 0
stop.set()
"""
    run(guard, twilio, body)


def test_greenlets_share_the_gate_and_report(guard: GuardServer, twilio: RunningSimulator) -> None:
    guard.gate_seconds = 0.1
    body = """
import gevent
jobs = [gevent.spawn(create) for _ in range(20)]
gevent.joinall(jobs, raise_error=True)
print(*[job.value for job in jobs])
"""
    sids = run(guard, twilio, body, "from gevent import monkey; monkey.patch_all()")

    assert len(sids) == 20
    assert sorted(each["sid"] for each in guard.reports) == sorted(sids)
    assert guard.most_gates_at_once == 1


def test_greenlets_are_blocked_and_not_held_by_a_hung_guard(guard: GuardServer, twilio: RunningSimulator) -> None:
    guard.hangs = True
    body = """
import gevent
began = time.monotonic()
gevent.joinall([gevent.spawn(create) for _ in range(20)], raise_error=True)
print(time.monotonic() - began)
client.http_client._line.reports.stop()  # the hung guard would hold the exit for its 2 s
"""
    (seconds,) = run(guard, twilio, body, "from gevent import monkey; monkey.patch_all()")

    assert float(seconds) < 2.0


def test_a_blocked_program_sees_one_clear_error(guard: GuardServer, twilio: RunningSimulator) -> None:
    guard.gate = TRIPPED
    body = """
try:
    create()
except CallsBlocked as blocked:
    print(blocked.state)
"""
    assert run(guard, twilio, body) == ["tripped"]
