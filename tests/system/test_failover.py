"""Failovers that keep connections open, and a Redis that is full: on real processes."""

import http.client
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from callguard.domain.snapshot import Word
from callguard.simulator import AccountConfig, RunawayPlan, SimulatorConfig, running
from tests.callback_requests import signed_callback
from tests.servers import Proxy, Server, proxy_to
from tests.stack import SID, TOKEN, Stack, free_port, guard_of
from tests.waiting import wait_until

pytestmark = [pytest.mark.full, pytest.mark.timeout(180)]

SIMULATED = SimulatorConfig(accounts=(AccountConfig(cps=1.0, latency=0.05),))
POLICY = {"cps": 1, "poll_seconds": 1}
HEALED_SECONDS = 10


@dataclass
class Scene:
    guard: Stack
    proxy: Proxy
    master: Server

    def callback(self) -> int:
        """Send a signed callback and return the answer's status."""
        request = signed_callback(f"http://127.0.0.1:{self.guard.port}", SID, TOKEN, status="initiated")
        with socket.create_connection(("127.0.0.1", self.guard.port), timeout=5) as connection:
            connection.sendall(request)
            answer = http.client.HTTPResponse(connection)
            answer.begin()
            return answer.status

    def asked(self, path: str) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.guard.port}{path}", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()


@contextmanager
def scene(folder: Path) -> Iterator[Scene]:
    """A guard whose Redis is behind a proxy."""
    with Server(free_port(), folder / "a") as master, proxy_to(master.port) as proxy, running(SIMULATED) as twilio:
        more = {
            "CALLGUARD_REDIS_URL": f"redis://127.0.0.1:{proxy.port}/0",
            "CALLGUARD_NOTIFY_URLS": "json://127.0.0.1:9/",
        }
        with guard_of(twilio, folder / "guard", free_port(), POLICY, more=more) as guard:
            yield Scene(guard, proxy, master)


def test_after_a_failover_that_keeps_connections_open_all_goes_on_without_a_restart(tmp_path: Path) -> None:
    with scene(tmp_path) as s, Server(free_port(), tmp_path / "b") as replica:
        replica.client.replicaof("127.0.0.1", s.master.port)
        wait_until(lambda: replica.client.info("replication")["master_link_status"] == "up", "it follows")
        assert [s.callback() for _ in range(20)] == [204] * 20

        replica.client.replicaof("NO", "ONE")
        s.master.client.replicaof("127.0.0.1", replica.port)
        s.proxy.upstream = replica.port

        began = time.monotonic()
        wait_until(lambda: all(s.callback() == 204 for _ in range(20)), "callbacks are taken", HEALED_SECONDS)
        wait_until(lambda: s.asked("/readyz")[0] == 200, "it is ready", HEALED_SECONDS)
        wait_until(lambda: "callguard_redis_up 1.0" in s.asked("/metrics")[1], "metrics are there", HEALED_SECONDS)
        for process in ("watcher", "cancel-worker"):
            beat = f"heartbeat of {process}"
            wait_until(lambda: s.guard.stores.heartbeats.ages(_now(s))[process] < 2, beat, HEALED_SECONDS)  # noqa: B023
        assert time.monotonic() - began < 4 * HEALED_SECONDS
        s.guard.twilio.start_runaway(SID, RunawayPlan(200))
        wait_until(lambda: s.guard.twilio.account(SID).queued == 0, "a runaway is cancelled", timeout=30)
        assert s.guard.twilio.account(SID).cancelled > 180


def _now(scene: Scene) -> int:
    return scene.guard.services.clock.now_ms()


def test_a_redis_that_takes_nothing_new_is_not_ready_and_what_it_has_is_shown(tmp_path: Path) -> None:
    with scene(tmp_path) as s:
        assert s.callback() == 204
        s.master.client.config_set("maxmemory", 1)
        wait_until(lambda: s.callback() == 503, "it is full", timeout=10)

        wait_until(lambda: s.asked("/readyz")[0] == 503, "it is not ready", timeout=10)
        assert "127.0.0.1" not in s.asked("/readyz")[1]
        metrics = s.asked("/metrics")[1]
        assert "callguard_redis_up 0.0" in metrics
        assert f'callguard_queue_depth{{account="{SID}"}}' in metrics

        s.master.client.config_set("maxmemory", 0)
        assert s.callback() == 204
        wait_until(lambda: s.asked("/readyz")[0] == 200, "it is ready", timeout=10)
        assert "callguard_redis_up 1.0" in s.asked("/metrics")[1]


def test_whether_the_guard_as_a_whole_works(tmp_path: Path) -> None:
    with scene(tmp_path) as s:
        wait_until(lambda: s.asked("/healthz/guard") == (200, "ok\n"), "all is well", timeout=20)
        services = s.guard.services
        services.control.pause(services.accounts[SID], Word("anna@web1", "a test", _now(s)))
        paused = (503, "paused: a person has paused it (1 of 1 accounts)\n")
        wait_until(lambda: s.asked("/healthz/guard") == paused, "it is told", timeout=10)
        snapshot = services.stores.tracker.snapshot(SID, _now(s))
        services.control.resume(services.accounts[SID], Word("anna@web1", "over", _now(s)), snapshot)

        s.master.client.config_set("maxmemory", 1)
        full = (503, "redis: it takes no callbacks; the log of this process says why\n")
        wait_until(lambda: s.asked("/healthz/guard") == full, "it is full", timeout=10)
        s.master.client.config_set("maxmemory", 0)
