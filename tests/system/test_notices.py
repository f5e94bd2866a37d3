"""Whatever is dead, people hear of a trip: real gunicorn, Valkey, workers, and receivers on this machine."""

import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from statistics import quantiles

import pytest

from callguard.domain.notices import Notice, NoticeKind
from callguard.domain.snapshot import State
from callguard.simulator import AccountConfig, SimulatorConfig
from callguard.startup import RECEIVERS_VERIFIED
from tests.benchmarks.load import run_load
from tests.callback_requests import signed_callback
from tests.notify.test_apprise import Hook, hook_at
from tests.stack import CONFIG, PUBLIC_URL, ROOT, SID, TOKEN, Stack, free_port, stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]

SIMULATED = SimulatorConfig(accounts=(AccountConfig(cps=1, latency=0.01),))
POLICY = {"cps": 1, "spike_burst": 20, "min_backlog": 5, "poll_seconds": 3600}


@pytest.fixture
def hook() -> Iterator[Hook]:
    with hook_at() as made:
        yield made


@pytest.fixture
def other() -> Iterator[Hook]:
    with hook_at() as made:
        yield made


def as_json(hook: Hook) -> str:
    return hook.url.replace("http", "json", 1)


def run_away(guard: Stack, calls: int) -> None:
    """Let Twilio tell of created calls."""
    url = f"http://127.0.0.1:{guard.port}"
    callbacks = [signed_callback(url, SID, TOKEN, status="queued") for _ in range(calls)]
    assert run_load("127.0.0.1", guard.port, callbacks, 1).statuses == {204: calls}


def told(hook: Hook, kind: NoticeKind) -> list[str]:
    return [body["message"] for body in hook.bodies() if body["title"].startswith(f"CallGuard {kind.value}:")]


def is_relayed(guard: Stack) -> bool:
    return guard.stores.relay_lease.is_held()


def children_of(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def workers_of(guard: Stack, role: str) -> list[int]:
    """The workers' processes of one role."""
    assert guard.workers is not None
    return [
        pid
        for pid in children_of(guard.workers.pid)
        if Path(f"/proc/{pid}/cmdline").read_bytes().rstrip(b"\0").endswith(role.encode())
    ]


def test_a_trip_is_told_though_neither_watcher_nor_workers_live(hook: Hook) -> None:
    with stack(SIMULATED, POLICY, workers=False, environ={"CALLGUARD_NOTIFY_URLS": as_json(hook)}) as guard:
        run_away(guard, 80)

        wait_until(lambda: told(hook, NoticeKind.TRIPPED), "the trip is told", timeout=30)
        wait_until(lambda: guard.stores.notices.waiting(10) == [], "the outbox is empty")

        assert len(told(hook, NoticeKind.TRIPPED)) == 1
        assert guard.stores.notices.facts().totals == {"delivered": len(hook.requests)}
        (relay,) = relays_below(guard.web.pid)

        guard.web.end()

        wait_until(lambda: not Path(f"/proc/{relay}").exists(), "the relay that was started ends with it")
        assert not is_relayed(guard)


def relays_below(pid: int) -> list[int]:
    found = []
    for child in children_of(pid):
        is_one = b"callguard.relaying" in Path(f"/proc/{child}/cmdline").read_bytes()
        found += [child] if is_one else relays_below(child)
    return found


@pytest.mark.parametrize("is_web_there", [True, False])
def test_when_the_relay_is_killed_another_process_takes_over(is_web_there: bool, hook: Hook) -> None:
    """The watcher relays; without it a relay is started by the web server, or, without that too, by a worker."""
    more = {"CALLGUARD_NOTIFY_URLS": as_json(hook)}
    with stack(SIMULATED, POLICY, environ=more) as guard:
        wait_until(lambda: is_relayed(guard), "the watcher relays", timeout=20)
        assert guard.workers is not None
        (watcher,) = workers_of(guard, "watcher")
        os.kill(guard.workers.pid, signal.SIGSTOP)  # the supervisor starts nothing again
        if not is_web_there:
            guard.web.end()
        os.kill(watcher, signal.SIGKILL)
        began = time.monotonic()
        post(guard, "while the watcher is dead")

        wait_until(lambda: not is_relayed(guard), "the lease ends")
        wait_until(lambda: is_relayed(guard), "it is taken over")
        taken_over = time.monotonic() - began
        wait_until(lambda: told(hook, NoticeKind.WARNING), "the notice is delivered", timeout=30)
        delivered = time.monotonic() - began
        if is_web_there:
            tell_of_the_watcher(guard, hook)
        os.kill(guard.workers.pid, signal.SIGCONT)

        print(f"lease taken over {taken_over:.1f} s after the kill, delivered {delivered:.1f} s")  # noqa: T201
        assert len(told(hook, NoticeKind.WARNING)) == 1


def tell_of_the_watcher(guard: Stack, hook: Hook) -> None:
    """That it is gone is told, and that it is back once its supervisor goes on."""
    assert guard.workers is not None
    wait_until(lambda: told(hook, NoticeKind.PROCESS), "it is told that the watcher is gone", timeout=60)
    os.kill(guard.workers.pid, signal.SIGCONT)
    wait_until(lambda: len(told(hook, NoticeKind.PROCESS)) == 2, "and that it is back", timeout=60)

    gone, back = told(hook, NoticeKind.PROCESS)
    assert gone.startswith("no watcher has given a sign of life for 30 s.")
    assert back.startswith("a watcher gives signs of life again")


def post(guard: Stack, text: str) -> None:
    guard.stores.notices.post(Notice(SID, NoticeKind.WARNING, text, guard.services.clock.now_ms()))


def test_a_receiver_that_hangs_holds_nobody_up(hook: Hook, other: Hook) -> None:
    """The good receiver gets each notice at once and once; callbacks are answered meanwhile."""
    hook.answering.clear()
    more = {"CALLGUARD_NOTIFY_URLS": f"{as_json(hook)}?rto=60,{as_json(other)}"}
    with stack(SIMULATED, POLICY, workers=False, environ=more) as guard:
        for number in range(10):
            post(guard, f"notice {number}")
        wait_until(lambda: len(other.requests) == 10, "the good receiver has all", timeout=60)

        times = sorted(healthz_seconds(guard) for _ in range(100))
        print(f"/healthz p50 {quantiles(times)[1] * 1000:.1f} ms, worst {times[-1] * 1000:.1f} ms")  # noqa: T201
        (relay,) = relays_below(guard.web.pid)
        os.kill(relay, signal.SIGKILL)
        wait_until(lambda: relays_below(guard.web.pid) not in ([], [relay]), "another relays", timeout=30)
        post(guard, "notice 10")
        wait_until(
            lambda: any("notice 10" in text for text in told(other, NoticeKind.WARNING)), "told", timeout=30
        )

        texts = [text.partition("\n")[0] for text in told(other, NoticeKind.WARNING)]
        assert len(texts) - len(set(texts)) <= 1, "a double delivery is the one that was under way"
        assert len(set(texts)) == 11


def healthz_seconds(guard: Stack) -> float:
    began = time.monotonic()
    with urllib.request.urlopen(f"http://127.0.0.1:{guard.port}/healthz", timeout=5):
        return time.monotonic() - began


def starts(argv: list[str], tmp_path: Path, **environ: str) -> "subprocess.CompletedProcess[str]":
    """Start a program of the guard that is to end by itself."""
    settings = {
        "TWILIO_ACCOUNT_SID": SID,
        "TWILIO_AUTH_TOKEN": TOKEN,
        "CALLGUARD_PUBLIC_URL": PUBLIC_URL,
        "CALLGUARD_REDIS_URL": f"unix://{tmp_path}/none.sock",
        "CALLGUARD_DATA_DIR": str(tmp_path),
        "CALLGUARD_BIND": f"127.0.0.1:{free_port()}",
        "PYTHONPATH": str(ROOT),
    }
    return subprocess.run(
        argv, env={**os.environ, **settings, **environ}, capture_output=True, text=True, timeout=60, check=False
    )


PROGRAMS: Mapping[str, Callable[[], list[str]]] = {
    "up": lambda: ["-m", "callguard", "up", "--port", str(free_port())],
    "sandbox": lambda: ["-m", "callguard", "up", "--sandbox", "--port", str(free_port())],
    "gunicorn": lambda: ["-m", "gunicorn", "wsgi:app", "--config", CONFIG],
    "plain gunicorn": lambda: ["-m", "gunicorn", "wsgi:app", "--bind", f"127.0.0.1:{free_port()}"],
    "workers": lambda: ["-m", "workers"],
    "watcher": lambda: ["-m", "workers", "watcher"],
}


@pytest.mark.parametrize("program", PROGRAMS)
def test_a_wrong_receiver_stops_the_start_with_its_name(program: str, tmp_path: Path) -> None:
    argv = [sys.executable, *PROGRAMS[program]()]

    ended = starts(argv, tmp_path, CALLGUARD_NOTIFY_URLS="https://chat.example.com/hook,slakc://hunter2/y/z")

    said = ended.stdout + ended.stderr
    assert ended.returncode not in (0, -signal.SIGKILL)
    assert "CALLGUARD_NOTIFY_URLS, entry 2 (slakc://): Apprise knows no such service, or a part is missing" in said
    assert "https://appriseit.com/services/" in said
    assert "hunter2" not in said
    assert "Traceback" not in said


def test_a_receiver_that_turns_out_wrong_later_costs_no_watcher_and_no_other_receiver(hook: Hook) -> None:
    """As after an upgrade in which Apprise has dropped a service, or a change of the TOML file."""
    more = {"CALLGUARD_NOTIFY_URLS": f"slakc://hunter2/y/z,{as_json(hook)}", RECEIVERS_VERIFIED: "1"}
    with stack(SIMULATED, POLICY, environ=more) as guard:
        run_away(guard, 80)

        wait_until(lambda: told(hook, NoticeKind.TRIPPED), "the trip is told", timeout=20)
        wait_until(lambda: state(guard) is State.COOLING, "the watcher and a worker do their work", timeout=30)

        assert guard.stores.notices.facts().totals["failed"] >= 1
        assert guard.stores.notices.waiting(1) != []
        assert len(told(hook, NoticeKind.TRIPPED)) == 1
        log = (guard.logs / "workers.log").read_text()
        assert "CALLGUARD_NOTIFY_URLS, entry 1 (slakc://) did not take a notice (tripped): Apprise knows no" in log
        assert "hunter2" not in log


def state(guard: Stack) -> State:
    return guard.stores.tracker.snapshot(SID, guard.services.clock.now_ms()).state
